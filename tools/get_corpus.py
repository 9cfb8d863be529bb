"""Makes a corpus of English prose out of Debian packages that have been unpacked: cleaned, deduplicated, labelled.

    get_corpus.py UNPACKED OUT      UNPACKED/PACKAGE/... as `dpkg-deb -x` leaves it; called by get_corpus.sh

Writes OUT/corpus.jsonl.gz, one document a line {"text", "domain", "source"}, and OUT/manifest.json: packages with their
versions and licences, documents and bytes by domain, and the SHA-256 of the lines. Paragraphs that occurred before (bars
of navigation, licences, examples copied from page to page) are left out, and so are documents of which little remains.
"""
import gzip
import hashlib
import html.parser
import json
import pathlib
import re
import sys
import unicodedata
import zlib

# Package: label, licence of its text as its copyright file has it, where the text lies, how it is read.
PACKAGES = {
    "linux-doc-6.1": ("kernel", "GPL-2.0 (parts under other free licences)", "usr/share/doc/linux-doc-6.1/Documentation",
                      "rst"),
    "python3.11-doc": ("python", "PSF-2.0", "usr/share/doc/python3.11/html/_sources", "rst"),
    "anarchism": ("essays", "GPL-2.0+", "usr/share/doc/anarchism/markdown", "markdown"),
    "debian-handbook": ("debian", "GPL-2.0+ or CC-BY-SA-3.0", "usr/share/doc/debian-handbook/html/en-US", "html"),
    "installation-guide-amd64": ("debian", "GPL-2.0", "usr/share/doc/installation-guide-amd64/en", "html"),
    "debian-reference-en": ("debian", "GPL-2.0+", "usr/share/debian-reference", "html"),
    "debian-policy": ("debian", "GPL-2.0+", "usr/share/doc/debian-policy/policy.html", "html"),
    "developers-reference": ("debian", "GPL-2.0+", "usr/share/developers-reference/_sources",
                             "rst"),
    "python-django-doc": ("web", "BSD-3-Clause", "usr/share/doc/python-django-doc/html", "html"),
    "perl-doc": ("perl", "GPL-1.0+ or Artistic", "usr/share/perl", "pod"),
    "git-doc": ("git", "GPL-2.0 (parts GPL-2.0+)", "usr/share/doc/git-doc", "plain"),
    "postgresql-doc-15": ("database", "PostgreSQL", "usr/share/doc/postgresql-doc-15/html", "html"),
    "sqlite3-doc": ("database", "public domain (parts GPL-2.0+)", "usr/share/doc/sqlite3", "html"),
    "octave-doc": ("mathematics", "GPL-3.0+", "usr/share/doc/octave/octave.html", "html"),
    "gnome-user-docs": ("desktop", "CC-BY-SA-3.0", "usr/share/help/C", "page"),
    "jargon-text": ("jargon", "public domain", "usr/share/doc/jargon-text", "jargon"),
    "dict-foldoc": ("computing", "GFDL-1.2", "usr/share/dictd", "dictionary"),
    "dict-gcide": ("dictionary", "GPL-2.0+", "usr/share/dictd", "dictionary"),
    "wordnet-base": ("glosses", "WordNet-3.0", "usr/share/wordnet", "wordnet"),
}
BLOCKS = set("p div li dt dd h1 h2 h3 h4 h5 h6 tr td th table ul ol dl section article blockquote pre body br "
             "title item desc".split())
LEFT_OUT = set("script style nav header footer head form button svg math".split())
VOID = set("br img hr input meta link col area base embed source track wbr".split())
BARS = re.compile(r"navheader|navfooter|sphinxsidebar|related|headerlink|toc\b|footer|navigation|docnav|nav-panel|"
                  r"edit-page|breadcrumb|\bhighlight")


class Text(html.parser.HTMLParser):
    """Blocks of text of a page, without bars of navigation; preformatted ones keep their lines."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.blocks, self.now, self.open, self.pre, self.out = [], [], [], 0, 0

    def end_block(self):
        text = "".join(self.now)
        if not self.pre:
            text = re.sub(r"\s+", " ", text).strip()
        if text.strip():
            self.blocks.append(text.strip("\n"))
        self.now = []

    def handle_starttag(self, tag, attributes):
        if tag in BLOCKS:
            self.end_block()
        if tag in VOID:
            return
        names = " ".join(v or "" for k, v in attributes if k in ("class", "id", "role"))
        out = tag in LEFT_OUT or bool(names and BARS.search(names))
        self.open.append((tag, out))
        self.out += out
        self.pre += tag == "pre"

    def handle_endtag(self, tag):
        if tag in VOID or tag not in [t for t, _ in self.open]:
            return
        if tag in BLOCKS:
            self.end_block()
        while self.open:
            name, out = self.open.pop()
            self.out -= out
            self.pre -= name == "pre"
            if name == tag:
                break

    def handle_data(self, data):
        if not self.out:
            self.now.append(data)


def of_html(raw):
    parser = Text()
    parser.feed(raw.decode("utf-8", "replace"))
    parser.close()
    parser.end_block()
    return "\n\n".join(parser.blocks)


def of_rst(raw):
    text, kept, skipped = raw.decode("utf-8", "replace"), [], None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if skipped is not None:  # the body of a comment or of an index
            if not line.strip() or indent > skipped:
                continue
            skipped = None
        if re.match(r"\s*\.\. (SPDX|_|index|highlight|toctree|contents|include|kernel-doc|currentmodule|sectionauthor|"
                    r"moduleauthor|module|image|figure|raw|only|table|csv-table|tabularcolumns|flat-table|\w+\s*$)",
                    line) or re.match(r"\s*\.\. *$", line):
            skipped = indent
            continue
        if re.match(r"^\s*([=\-~^\"'`*#+.:])\1{2,}\s*$", line) or re.match(r"^\s*:[\w-]+:( |$)", line):
            continue
        line = re.sub(r"^(\s*)\.\. [\w:-]+:: *", r"\1", line)
        line = re.sub(r":[\w:+.-]+:`[!~]?([^`<]*?)\s*(<[^`>]*>)?`", r"\1", line)
        line = re.sub(r"`([^`<]+?)\s*<[^`>]*>`__?", r"\1", line)
        line = re.sub(r"``([^`]*)``", r"\1", line).replace("**", "")
        line = re.sub(r"::\s*$", ":", line)
        kept.append(line)
    return "\n".join(kept)


def of_markdown(raw):
    text = raw.decode("utf-8", "replace")
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^#+ *", "", text, flags=re.M)
    text = re.sub(r"\*\*|__|(?<![\w*])[*_](?=\S)|(?<=\S)[*_](?![\w*])", "", text)
    paragraphs = re.split(r"\n\s*\n", re.sub(r"\\([.\-_*\[\]()#+!>])", r"\1", text))
    return "\n\n".join(re.sub(r"\s*\n\s*", " ", p).strip() for p in paragraphs)


def of_pod(raw):
    text, kept, code = raw.decode("utf-8", "replace"), [], False
    for paragraph in re.split(r"\n\s*\n", text):
        if re.match(r"=(begin|for|encoding)", paragraph):
            code = paragraph.startswith("=begin")
            continue
        if paragraph.startswith("=end"):
            code = False
            continue
        if code or paragraph.startswith(("=over", "=back", "=cut", "=pod")):
            continue
        paragraph = re.sub(r"^=(head\d|item) *", "", paragraph)
        for _ in range(4):
            paragraph = re.sub(r"L<(?:<+ )?([^<>|]*\|)?([^<>]*)>+", lambda m: (m[1] or m[2]).strip("|"), paragraph)
            paragraph = re.sub(r"[BCFISXZ]<<+ (.*?) >>+", r"\1", paragraph, flags=re.S)
            paragraph = re.sub(r"[XZ]<[^<>]*>", "", paragraph)
            paragraph = re.sub(r"[BCFIS]<([^<>]*)>", r"\1", paragraph)
        paragraph = re.sub(r"E<(\w+)>", lambda m: {"lt": "<", "gt": ">", "sol": "/", "verbar": "|"}.get(m[1], ""), paragraph)
        kept.append(paragraph)
    return "\n\n".join(kept)


def of_plain(raw):
    text = raw.decode("utf-8", "replace")
    text = re.sub(r"^([=\-~^+.*_])\1{3,}$", "", text, flags=re.M)
    text = re.sub(r"linkgit:([\w.-]+)\[(\d)\]", r"\1(\2)", text)
    return re.sub(r"^\[\[.*\]\]$|^(:[\w-]+:.*|include::.*|//.*|ifn?def::.*|endif::.*)$", "", text, flags=re.M)


READERS = dict(html=of_html, page=of_html, rst=of_rst, markdown=of_markdown, pod=of_pod, plain=of_plain)
ENDINGS = dict(html=(".html",), page=(".page", ".page.gz"), rst=(".rst", ".rst.gz", ".rst.txt", ".txt.gz"),
               markdown=(".md", ".md.gz"), pod=(".pod", ".pod.gz"), plain=(".txt", ".txt.gz"))


def unpacked(file):
    raw = file.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def files(folder, kind):
    """Documents of a folder of files."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name.endswith(ENDINGS[kind]) and "changelog" not in file.name.lower():
            if file.name == "genindex.html" or any(part in ("translations", "Common_Content", "releaselog") for part in file.parts):
                continue
            yield str(file.relative_to(folder)), READERS[kind](unpacked(file))


def of_jargon(folder):
    for file in sorted(folder.glob("jargon*.gz")):
        text = re.sub(r"^   ", "", unpacked(file).decode("utf-8", "replace"), flags=re.M)
        entries = re.split(r"\n(?=:[^:\n]+:)", text)
        yield from grouped((re.sub(r"\{([^}]*)\}", r"\1", e) for e in entries), file.name, 40)


def dict_entries(folder):
    """Entries of a dictd dictionary in the order of its text."""
    digits = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

    def number(text):
        value = 0
        for c in text:
            value = 64 * value + digits[c]
        return value

    for index in sorted(folder.glob("*.index")):
        data = zlib.decompress(index.with_suffix(".dict.dz").read_bytes(), 47)
        places = set()
        for line in index.read_text("utf-8", "replace").splitlines():
            word, begin, length = line.split("\t")[:3]
            if not word.startswith("00-database"):
                places.add((number(begin), number(length)))
        for begin, length in sorted(places):
            yield data[begin:begin + length].decode("utf-8", "replace")


def of_dictionary(folder):
    def clean():
        for entry in dict_entries(folder):
            entry = re.sub(r"\[(1913 Webster|PJC|Webster[^\]]*|WordNet[^\]]*|Century[^\]]*)[^\]]*\]", "", entry)
            entry = re.sub(r"[{}]", "", entry)
            yield re.sub(r"\s+", " ", entry).strip()
    yield from grouped(clean(), "entries", 30)


def of_wordnet(folder):
    def glosses():
        kinds = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}
        for name in ("noun", "verb", "adj", "adv"):
            for line in (folder / f"data.{name}").read_text("utf-8", "replace").splitlines():
                if line.startswith(" ") or "|" not in line:
                    continue
                fields, gloss = line.split("|", 1)
                fields = fields.split()
                words = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
                words = [re.sub(r"\((a|p|ip)\)$", "", w) for w in words]
                yield f"{', '.join(words)} ({kinds[fields[2]]}): {gloss.strip()}"
    yield from grouped(glosses(), "glosses", 60)


def grouped(entries, name, count):
    """Short entries, so many to a document."""
    part, number = [], 0
    for entry in entries:
        part.append(entry)
        if len(part) == count:
            yield f"{name}-{number}", "\n\n".join(part)
            part, number = [], number + 1
    if part:
        yield f"{name}-{number}", "\n\n".join(part)


LISTS = dict(jargon=of_jargon, dictionary=of_dictionary, wordnet=of_wordnet)
LETTERS = re.compile(r"[A-Za-z]")


class Corpus:
    def __init__(self):
        self.seen, self.lines, self.count = set(), [], {}
        self.hash = hashlib.sha256()
        self.repeated = 0

    def add(self, text, domain, source):
        text = unicodedata.normalize("NFC", text.replace("\r", "").replace("\u00a0", " ").replace("\0", ""))
        kept = []
        for paragraph in re.split(r"\n\s*\n", text):
            paragraph = "\n".join(line.rstrip() for line in paragraph.split("\n")).strip("\n")
            letters = len(LETTERS.findall(paragraph))
            if not paragraph.strip() or letters < 0.5 * len(paragraph) or "\u2039" in paragraph:
                continue  # tables, lists of numbers, pictures made of characters, bars of navigation
            if letters > 30:
                key = hashlib.blake2b(re.sub(r"\W+", "", paragraph).lower().encode(), digest_size=8).digest()
                if key in self.seen:
                    self.repeated += len(paragraph.encode())
                    continue
                self.seen.add(key)
            kept.append(paragraph)
        text = "\n\n".join(kept) + "\n"
        if len(text) < 400:
            return
        line = json.dumps({"text": text, "domain": domain, "source": source}, ensure_ascii=False) + "\n"
        self.lines.append(line.encode())
        self.hash.update(self.lines[-1])
        documents, size = self.count.get(domain, (0, 0))
        self.count[domain] = documents + 1, size + len(text.encode())


def version_of(package):
    file = next(iter(sorted(package.parent.glob(f"{package.name}_*.version"))), None)
    return file.read_text().strip() if file else ""


def main():
    root, out = map(pathlib.Path, sys.argv[1:3])
    corpus, packages = Corpus(), []
    for name, (domain, licence, place, kind) in PACKAGES.items():
        before = sum(size for _, size in corpus.count.values())
        folder = root / name / place
        for source, text in LISTS[kind](folder) if kind in LISTS else files(folder, kind):
            corpus.add(text, domain, f"{name}/{source}")
        copyright_file = root / name / "usr/share/doc" / name / "copyright"
        packages.append(dict(package=name, version=version_of(root / name), domain=domain, licence=licence,
                             copyright_sha256=hashlib.sha256(copyright_file.read_bytes()).hexdigest()
                             if copyright_file.exists() else None,
                             bytes=sum(size for _, size in corpus.count.values()) - before))
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "corpus.jsonl.gz", "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.writelines(corpus.lines)
    manifest = dict(sha256=corpus.hash.hexdigest(), documents=len(corpus.lines),
                    bytes=sum(size for _, size in corpus.count.values()), repeated_bytes=corpus.repeated,
                    domains={d: dict(documents=n, bytes=size) for d, (n, size) in sorted(corpus.count.items())},
                    packages=packages)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    for entry in packages:
        print(f"{entry['package']:28} {entry['domain']:12} {entry['bytes'] / 1e6:7.2f} MB  {entry['licence']}")
    print(f"{manifest['documents']} documents, {manifest['bytes'] / 1e6:.1f} MB, sha256 {manifest['sha256']}")


if __name__ == "__main__":
    main()
