#!/usr/bin/env python3
"""The prose that ashlar-nano is trained on: paragraphs of whole sentences, from those texts of tools/get_corpus.sh whose
licences ask for no more than their notice (or for nothing).

    nano/prose.py CORPUS OUT       CORPUS: folder of get_corpus.sh; writes OUT/prose.jsonl.gz and OUT/manifest.json
"""
import gzip
import hashlib
import json
import pathlib
import re
import sys

DOMAINS = ("python", "database", "web", "jargon")
SENTENCES = re.compile(r"^[\"“(]?[A-Z][^|{}<>\\^~@#$%=]*[.!?:][\"”)]?$")
WORD = re.compile(r"[A-Za-z][a-z]*(?:['’-][a-z]+)*[.,;:!?)\"”’]*$")


def paragraph(text):
    """One line of prose; empty for code, tables, headings and lists of names."""
    if re.match(r"\s*(>>>|\$|#|\||:[^:]+:|\d+\.\d)", text) or text.startswith("    "):
        return ""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])", r"\1", text)  # *emphasis*
    text = re.sub(r"^(\* - |[-*•] |#\. |\d+\. )", "", text)
    text = re.sub(r":[a-z:+-]+:`[!~]?([^`<]*?)\s*(<[^`>]*>)?`", r"\1", text).replace("`", "")
    if len(text) < 60 or not SENTENCES.match(text):
        return ""
    words = text.split(" ")
    good = sum(1 for w in words if WORD.fullmatch(w.lstrip("(\"“‘")))
    return text if good >= 0.85 * len(words) else ""


def main():
    corpus, out = map(pathlib.Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    lines, count, digest = [], {}, hashlib.sha256()
    for raw in gzip.open(corpus / "corpus.jsonl.gz", "rt", encoding="utf-8"):
        document = json.loads(raw)
        if document["domain"] not in DOMAINS or "/releases/" in document["source"]:
            continue
        kept = [p for p in map(paragraph, re.split(r"\n\s*\n", document["text"])) if p]
        text = "\n\n".join(kept) + "\n"
        if len(text) < 300:
            continue
        line = (json.dumps(document | {"text": text}, ensure_ascii=False) + "\n").encode()
        lines.append(line)
        digest.update(line)
        documents, size = count.get(document["domain"], (0, 0))
        count[document["domain"]] = documents + 1, size + len(text.encode())
    with open(out / "prose.jsonl.gz", "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.writelines(lines)
    of_corpus = json.loads((corpus / "manifest.json").read_text())
    manifest = dict(sha256=digest.hexdigest(), documents=len(lines), bytes=sum(size for _, size in count.values()),
                    domains={d: dict(documents=n, bytes=size) for d, (n, size) in sorted(count.items())},
                    packages=[p for p in of_corpus["packages"] if p["domain"] in DOMAINS], corpus=of_corpus["sha256"])
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{manifest['documents']} documents, {manifest['bytes'] / 1e6:.1f} MB of prose, sha256 {manifest['sha256']}")


if __name__ == "__main__":
    main()
