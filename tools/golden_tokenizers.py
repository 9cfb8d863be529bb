#!/usr/bin/env python3
# Writes small tokenizers of every component and what Hugging Face's `tokenizers` makes of a corpus with them.
"""
    python tools/golden_tokenizers.py                 the synthetic files, into tests/text/tokenizers/
    python tools/golden_tokenizers.py --real FOLDER   golden ids of the real files that get_tokenizers.sh fetched
    python tools/golden_tokenizers.py --check N TOOL  N random tokenizers against TOOL (bench_tokenizer); prints
                                                      the differences

Needs: tokenizers==0.23.*, tiktoken (for Kimi's format), mistral-common (for tekken).
"""
import argparse
import base64
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import tiktoken
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

import tokenizer_corpus

OUT = tokenizer_corpus.ROOT / "tests/text/tokenizers"
LETTERS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}%s]%s[\p{Ll}\p{Lm}\p{Lo}\p{M}%s]%s"
SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"


def gpt4(digits):
    return SUFFIX + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + r"| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACES


def cased(narrow, suffix):
    head = r"[^\r\n\p{L}\p{N}]?"
    return (head + LETTERS % (narrow, "*", narrow, "+") + suffix + "|" + head +
            LETTERS % (narrow, "+", narrow, "*") + suffix)


ALPHABET = pre_tokenizers.ByteLevel.alphabet()
PATTERNS = {
    "llama3": [gpt4(r"\p{N}{1,3}")],
    "qwen2": [gpt4(r"\p{N}")],
    "o200k": [cased("", SUFFIX + "?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES],
    "tekken": [cased("", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES],
    "kimi": [r"[\p{Han}]+|" + cased(r"&&[^\p{Han}]", SUFFIX + "?") +
             r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACES],
    "deepseek3": [
        r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        r"| ?[\p{P}\p{S}]+[\r\n]*" + SPACES],
    "deepseek2": [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿ]+",
                  r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-\ud7ff]+"],
    "ahead": [r"\p{L}+(?=\d)|\d{1,3}(?=(?:\d{3})*\b)|(?<=\s)\S|\w++"],
    "lazy": [r"a{1,2}?b?|[^\S\n]+|(?:x|yz)*z|[[:digit:]]+"],
}


def split(name, behavior="isolated", invert=False):
    return [pre_tokenizers.Split(Regex(p), behavior, invert) for p in PATTERNS[name]]


def byte_level(steps, prefix=False, regex=False):
    return pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=prefix,
                                                                    use_regex=regex)])


def trained(pre, normalizer=None, alphabet=None, vocab=400, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    specials = [s for s in (model.get("unk_token"),) if s]
    trainer = trainers.BpeTrainer(vocab_size=vocab, show_progress=False, special_tokens=specials,
                                  initial_alphabet=alphabet or [],
                                  limit_alphabet=256 if alphabet is ALPHABET else 150, max_token_length=12,
                                  continuing_subword_prefix=model.get("continuing_subword_prefix") or "",
                                  end_of_word_suffix=model.get("end_of_word_suffix") or "")
    texts = [tokenizer_corpus.as_text(t) for t in tokenizer_corpus.make(99, 200)]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def with_model(tokenizer, **changes):
    """The same tokenizer with fields of its model changed."""
    data = json.loads(tokenizer.to_str())
    for key, value in changes.items():
        data["model"][key] = value
    return Tokenizer.from_str(json.dumps(data))


def with_bytes(tokenizer, count=256):
    """Adds <0xXX> tokens, as SentencePiece's vocabularies have them."""
    data = json.loads(tokenizer.to_str())
    vocab = data["model"]["vocab"]
    for b in range(count):
        vocab.setdefault("<0x%02X>" % b, len(vocab))
    data["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(data))


BYTES_BACK = decoders.ByteLevel()


def spm_back(strip):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))


def bos(tokenizer, name="<s>"):
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{name} $A", pair=f"{name} $A {name} $B",
        special_tokens=[(name, tokenizer.token_to_id(name))])
    return tokenizer


def flagged(tokenizer):
    """Added tokens of every kind."""
    tokenizer.add_tokens([
        AddedToken("<l>", lstrip=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
        AddedToken("<w>", single_word=True, normalized=False), AddedToken("<n>", normalized=True),
        AddedToken("the", single_word=True, normalized=True), AddedToken("<z>", lstrip=True, rstrip=True),
        AddedToken("\n\n", normalized=False), AddedToken("  ", normalized=False),
        AddedToken("Hello", normalized=True), AddedToken("e\u0301", normalized=True)])
    tokenizer.add_special_tokens([AddedToken("<a>", normalized=True, special=True),
                                  AddedToken("<b>", normalized=False, special=True),
                                  AddedToken("<|im_start|>", normalized=False, special=True)])
    return tokenizer


def byte_tokenizer(steps, normalizer=None, prefix=False, regex=False, vocab=400, **changes):
    tokenizer = trained(byte_level(steps, prefix, regex), normalizer, ALPHABET, vocab)
    tokenizer.decoder = BYTES_BACK
    return with_model(tokenizer, **changes) if changes else tokenizer


def without_tokens(tokenizer, gone):
    """Takes tokens out of the vocabulary, with the merges they occur in."""
    data = json.loads(tokenizer.to_str())
    model = data["model"]
    bad = lambda text: any(g in text for g in gone)
    model["vocab"] = {t: i for i, t in enumerate(t for t in model["vocab"] if not bad(t))}
    model["merges"] = [m for m in model["merges"] if not bad(m[0]) and not bad(m[1])]
    return Tokenizer.from_str(json.dumps(data))


def synthetic():
    """name: tokenizer. Every component and option that the families use, and their neighbours."""
    out = {}
    for name in PATTERNS:
        out[name] = byte_tokenizer(split(name))
    out["gpt2"] = flagged(byte_tokenizer([], regex=True))
    out["gpt2_prefix"] = byte_tokenizer([], prefix=True, regex=True)
    out["llama3_whole_words"] = bos(byte_tokenizer(split("llama3"), vocab=700, ignore_merges=True))
    out["qwen_nfc"] = flagged(byte_tokenizer(split("qwen2"), normalizers.NFC()))
    out["smollm_holes"] = without_tokens(
        byte_tokenizer([pre_tokenizers.Digits(individual_digits=True)], regex=True),
        ["Ă", "d", "8", "ģ", "ð"])
    out["digits_punctuation"] = byte_tokenizer(
        [pre_tokenizers.Digits(), pre_tokenizers.Punctuation("contiguous")])
    mark = normalizers.Replace(" ", "▁")
    gemma = with_bytes(trained(pre_tokenizers.Split(" ", "merged_with_previous"), mark, ["▁"], 600,
                               unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    gemma.decoder = spm_back(False)
    gemma.add_tokens([AddedToken("\n" * n, normalized=False) for n in (1, 2, 3)] +
                     [AddedToken("▁▁▁", normalized=False), AddedToken("<table>", normalized=False)])
    out["gemma"] = bos(gemma, "<bos>")
    llama = with_bytes(trained(None, normalizers.Sequence([normalizers.Prepend("▁"), mark]), ["▁"], 600,
                               unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    llama.decoder = spm_back(True)
    out["llama2"] = flagged(bos(llama))
    partial = with_bytes(trained(None, mark, ["▁"], 300, unk_token="<unk>", fuse_unk=True), 0xC0)
    partial.decoder = spm_back(False)
    out["fallback_partial"] = partial
    for scheme in ("always", "first", "never"):
        t = trained(pre_tokenizers.Metaspace("▁", scheme, scheme != "never"), None, ["▁"], 300,
                    unk_token="<unk>", fuse_unk=scheme == "first")
        t.decoder = decoders.Metaspace("▁", scheme, scheme != "never")
        out["metaspace_" + scheme] = flagged(bos(t)) if scheme == "first" else t
    t = trained(pre_tokenizers.Whitespace(), normalizers.Lowercase(), None, 400, unk_token="[UNK]",
                end_of_word_suffix="</w>")
    t.decoder = decoders.BPEDecoder("</w>")
    out["words_suffix"] = t
    t = trained(pre_tokenizers.BertPreTokenizer(), normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip(True, False)]), None, 400,
        unk_token="[UNK]", continuing_subword_prefix="##")
    out["words_prefix"] = t
    t = trained(pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                         pre_tokenizers.CharDelimiterSplit("-")]),
                normalizers.NFKC(), None, 300)
    t.decoder = decoders.Sequence([decoders.Replace(Regex("e+"), "_"), decoders.Strip("t", 2, 0)])
    out["nfkc_delimiter"] = t
    for behavior in ("removed", "merged_with_next", "merged_with_previous", "contiguous"):
        out["split_" + behavior] = byte_tokenizer(
            [pre_tokenizers.Split(Regex(r"\s|\d"), behavior, behavior == "removed")])
    t = byte_tokenizer(split("llama3"))
    t.add_special_tokens(["[CLS]", "[SEP]"])
    t.post_processor = processors.Sequence([
        processors.ByteLevel(), processors.RobertaProcessing(("[SEP]", t.token_to_id("[SEP]")),
                                                             ("[CLS]", t.token_to_id("[CLS]")))])
    out["roberta_frame"] = t
    out["bytes_not_last"] = trained(pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
         pre_tokenizers.Split("Ġ", "merged_with_next")]), None, ALPHABET, 350)
    out["bytes_not_last"].decoder = BYTES_BACK
    return out


def random_tokenizer(rnd):
    """Any combination of components."""
    norm = [lambda: normalizers.NFC(), lambda: normalizers.NFD(), lambda: normalizers.NFKC(),
            lambda: normalizers.NFKD(), lambda: normalizers.Lowercase(),
            lambda: normalizers.Strip(rnd.random() < .5, rnd.random() < .5),
            lambda: normalizers.Prepend(rnd.choice(["▁", "ab"])),
            lambda: normalizers.Replace(rnd.choice([" ", "a", "\n\n", "é"]), rnd.choice(["▁", "z", "xy"])),
            lambda: normalizers.Replace(Regex(rnd.choice([r"\s+", r"[aeiou]", r"\p{N}{2}", "x+"])), "_"),
            lambda: normalizers.StripAccents()]
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    pre = [lambda: pre_tokenizers.Split(Regex(rnd.choice(
               [p for ps in PATTERNS.values() for p in ps] + [r"\s", r"\d+", r"\b", r"^\s*", r"(?i:the)|\p{Lu}"])),
               rnd.choice(behaviors), rnd.random() < .3),
           lambda: pre_tokenizers.Split(rnd.choice([" ", "a", "▁", "\n"]), rnd.choice(behaviors),
                                        rnd.random() < .3),
           lambda: pre_tokenizers.Digits(rnd.random() < .5),
           lambda: pre_tokenizers.Punctuation(rnd.choice(behaviors)),
           lambda: pre_tokenizers.Whitespace(), lambda: pre_tokenizers.WhitespaceSplit(),
           lambda: pre_tokenizers.BertPreTokenizer(),
           lambda: pre_tokenizers.Metaspace("▁", rnd.choice(["always", "first", "never"]), rnd.random() < .5)]
    chosen = lambda options, most: [rnd.choice(options)() for _ in range(rnd.randint(0, most))]
    steps, norms = chosen(pre, 3), chosen(norm, 2)
    bytes_too = rnd.random() < .5
    if bytes_too:
        steps.append(pre_tokenizers.ByteLevel(rnd.random() < .3, use_regex=rnd.random() < .5))
    options = {}
    if rnd.random() < .5:
        options = {"unk_token": "<unk>", "fuse_unk": rnd.random() < .5}
    if not bytes_too and rnd.random() < .2:
        options["end_of_word_suffix"] = "</w>"
    if not bytes_too and rnd.random() < .2:
        options["continuing_subword_prefix"] = "##"
    t = trained(pre_tokenizers.Sequence(steps) if steps else None,
                normalizers.Sequence(norms) if norms else None,
                ALPHABET if bytes_too else None, rnd.choice([200, 350, 600]), **options)
    if rnd.random() < .3:
        t = with_model(t, ignore_merges=True)
    if rnd.random() < .4:
        t = with_bytes(t, rnd.choice([256, 256, 0xC0]))
    back = [decoders.ByteLevel(), decoders.Metaspace("▁", rnd.choice(["always", "first", "never"])),
            decoders.Fuse(), decoders.ByteFallback(), decoders.Strip(rnd.choice(" ae"), 1, 0),
            decoders.Replace("▁", " "), decoders.Replace(Regex("[ae]+"), "-"), decoders.BPEDecoder("</w>")]
    if rnd.random() < .9:
        t.decoder = decoders.Sequence([rnd.choice(back) for _ in range(rnd.randint(1, 4))])
    if rnd.random() < .6:
        t = flagged(t)
    return bos(t) if rnd.random() < .4 else t


def golden(tokenizer, items):
    """Per item: ids with special tokens, ids without, text of the former, text without special tokens."""
    out = []
    for item in items:
        text = tokenizer_corpus.as_text(item)
        ids = tokenizer.encode(text).ids
        out.append([ids, tokenizer.encode(text, add_special_tokens=False).ids,
                    tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)])
    return out


def dump(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def short_corpus(seed, count):
    """The edge cases, some special tokens, and short texts."""
    plain = 8 + len(tokenizer_corpus.SPECIAL)
    items = tokenizer_corpus.make(seed, plain + 8 * count)
    short = [i for i in items[plain:] if 8 < len(i if isinstance(i, str) else i["bytes"]) < 100]
    return items[:20] + short[:count - 20]


def write_kimi(items):
    """Kimi's files: ranks in tiktoken's format, names of special tokens beside them; judged by tiktoken."""
    data = json.loads(byte_tokenizer(split("kimi"), vocab=600).to_str())["model"]
    to_byte = {c: b for b, c in zip(
        [b for b in range(256) if chr(b) in ALPHABET] + [b for b in range(256) if chr(b) not in ALPHABET],
        [chr(b) for b in range(256) if chr(b) in ALPHABET] +
        [chr(256 + i) for i in range(sum(chr(b) not in ALPHABET for b in range(256)))])}
    tokens = [bytes(to_byte[c] for c in t) for t in sorted(data["vocab"], key=data["vocab"].get)]
    ranks = {t: i for i, t in enumerate(tokens)}
    n = len(ranks)
    names = {n: "[BOS]", n + 1: "[EOS]", n + 2: "<|im_end|>", n + 3: "<|im_user|>", n + 7: "<think>"}
    folder = OUT / "kimi_files"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiktoken.model").write_text(
        "".join(base64.b64encode(t).decode() + f" {i}\n" for t, i in ranks.items()))
    dump(folder / "tokenizer_config.json", {
        "added_tokens_decoder": {str(i): {"content": c, "special": c != "<think>"} for i, c in names.items()},
        "bos_token": "[BOS]", "eos_token": "[EOS]"})
    reference = tiktoken.Encoding(
        "kimi", pat_str=PATTERNS["kimi"][0], mergeable_ranks=ranks,
        special_tokens={names.get(i, f"<|reserved_token_{i}|>"): i for i in range(n, n + 256)})
    ids = [reference.encode(tokenizer_corpus.as_text(i), allowed_special="all") for i in items]
    dump(folder / "golden.json", [[i, reference.decode(i)] for i in ids])


def check(count, tool, seed):
    failures = 0
    for n in range(seed, seed + count):
        rnd = random.Random(n)
        try:
            tokenizer = random_tokenizer(rnd)
        except BaseException as error:  # some combinations the library refuses, or panics over
            print(n, "not built:", str(error)[:100])
            continue
        items = tokenizer_corpus.make(n, 300)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            text = tokenizer.to_str()
            (folder / "tokenizer.json").write_text(text)
            (folder / "items.json").write_text(json.dumps(items))
            run = subprocess.run([tool, "encode", str(folder / "tokenizer.json"), str(folder / "items.json")],
                                 capture_output=True, text=True)
        if run.returncode:
            print(n, "FAILED", run.stderr.strip()[:300])
            failures += 1
            continue
        shown = 0
        for item, ours in zip(items, json.loads(run.stdout)):
            source = tokenizer_corpus.as_text(item)
            try:
                ids = tokenizer.encode(source).ids
                theirs = [ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)]
            except BaseException as error:
                continue
            if theirs == ours:
                continue
            failures += 1
            shown += 1
            if shown == 1:
                config = {k: v for k, v in json.loads(text).items()
                          if k in ("normalizer", "pre_tokenizer", "decoder")}
                if theirs[0] == ours[0]:
                    config.pop("normalizer"), config.pop("pre_tokenizer")
                    a, b = theirs[1], ours[1]
                else:
                    config.pop("decoder")
                    a, b = ([tokenizer.id_to_token(i) for i in ids] for ids in (theirs[0], ours[0]))
                at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                print(n, repr(source[:80]), "differs at", at, a[max(0, at - 4):at + 6], "here", b[max(0, at - 4):at + 6],
                      json.dumps(config)[:700])
    print(count, "tokenizers,", failures, "differences")
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", type=pathlib.Path)
    parser.add_argument("--check", nargs=2, metavar=("N", "TOOL"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.check:
        sys.exit(1 if check(int(args.check[0]), args.check[1], args.seed) else 0)
    if args.real:
        items = short_corpus(7, 150)
        dump(OUT.parent / "golden_real/corpus.json", items)
        for file in sorted(args.real.glob("*/tokenizer.json")):
            tokenizer = Tokenizer.from_file(str(file))
            rows = golden(tokenizer, items)
            dump(OUT.parent / f"golden_real/{file.parent.name}.json", [[r[0], r[3]] for r in rows])
        if (args.real / "gpt2/vocab.json").exists():
            gpt2 = Tokenizer(models.BPE.from_file(str(args.real / "gpt2/vocab.json"),
                                                  str(args.real / "gpt2/merges.txt")))
            gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            gpt2.decoder = BYTES_BACK
            gpt2.add_special_tokens([AddedToken("<|endoftext|>", normalized=False, special=True)])
            dump(OUT.parent / "golden_real/gpt2.json", [[r[0], r[3]] for r in golden(gpt2, items)])
        if (args.real / "tekken/tekken.json").exists():
            from mistral_common.tokens.tokenizers.tekken import Tekkenizer  # reads no special tokens in text
            tekken = Tekkenizer.from_file(str(args.real / "tekken/tekken.json"))
            texts = [tokenizer_corpus.as_text(i) for i in items]
            dump(OUT.parent / "golden_real/tekken.json",
                 [[tekken.encode(t, bos=True, eos=False), t] for t in texts])
        return
    items = short_corpus(5, 80)
    dump(OUT / "corpus.json", items)
    for name, tokenizer in synthetic().items():
        dump(OUT / f"{name}.json", {"tokenizer": json.loads(tokenizer.to_str()),
                                    "golden": golden(tokenizer, items)})
    write_kimi(items)


if __name__ == "__main__":
    main()
