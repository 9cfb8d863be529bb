#!/usr/bin/env python3
"""Tokens that stand beside a tokenizer only, as Transformers' AutoTokenizer adds them.

    python tools/golden_added_tokens.py

Writes tests/text/added_tokens.json: small folders (a tokenizer of tests/text/tokenizers as tokenizer.json, or as
vocab.json and merges.txt, with the files named beside it), texts and the ids that AutoTokenizer gives them. Needs
transformers (tools/requirements-golden.txt).
"""

import json
import pathlib
import tempfile

from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ["a<|call|>b", "a <|call|> b<|new|>c", "<|pad|>x<|call|>", "one two <img> three", "<|endoftext|>end",
         "the call of <|x|>", "xy<|im_end|>\n", "word<|call|>word"]


def token(content, special=True, **flags):
    return {"content": content, "special": special, "lstrip": False, "rstrip": False, "single_word": False,
            "normalized": not special, **flags}


FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}
CASES = {
    "decoder": {"tokenizer_config.json": {**FAST, "added_tokens_decoder": {
        "{0}": token("<|call|>"), "{1}": token("<|new|>", False)}}},
    "decoder out of order": {"tokenizer_config.json": {**FAST, "added_tokens_decoder": {
        "{2}": token("<|call|>"), "{1}": token("<|new|>"), "{0}": token("<|x|>", lstrip=True)}}},
    "decoder with a hole": {"tokenizer_config.json": {**FAST, "added_tokens_decoder": {
        "{3}": token("<|call|>"), "{5}": token("<|new|>")}}},
    "added_tokens.json": {"tokenizer_config.json": FAST, "added_tokens.json": {"<|call|>": 0, "<|new|>": 1}},
    "added_tokens.json, special by name": {"tokenizer_config.json": {**FAST, "pad_token": "<|pad|>"},
                                           "added_tokens.json": {"<|pad|>": 1, "<|call|>": 0}},
    "named": {"tokenizer_config.json": {**FAST, "pad_token": "<|pad|>", "eos_token": "<|im_end|>"}},
    "named, a model's own": {"tokenizer_config.json": {**FAST, "image_token": "<img>", "pad_token": "<|pad|>"}},
    "named, own names as the file orders them": {"tokenizer_config.json": {
        **FAST, "z_token": "<|new|>", "eos_token": "<|im_end|>", "a_token": "<img>", "m_token": "<|call|>"}},
    "extra by name, as the file orders them": {"tokenizer_config.json": {
        **FAST, "extra_special_tokens": {"z": "<|new|>", "a": "<img>", "m": "<|call|>"}}},
    "special map, as the file orders it": {"tokenizer_config.json": FAST, "special_tokens_map.json": {
        "z_token": "<|new|>", "pad_token": "<|pad|>", "a_token": "<img>"}},
    "extra list": {"tokenizer_config.json": {**FAST, "additional_special_tokens": ["<|call|>", "<|new|>"]}},
    "extra, the new name": {"tokenizer_config.json": {**FAST, "extra_special_tokens": ["<|call|>"]}},
    "extra by name": {"tokenizer_config.json": {**FAST, "extra_special_tokens": {"image_token": "<img>"}}},
    "special map": {"tokenizer_config.json": FAST, "special_tokens_map.json": {
        "pad_token": token("<|pad|>"), "eos_token": "<|im_end|>"}},
    "special map unread beside a list": {"tokenizer_config.json": {**FAST, "added_tokens_decoder": {
        "{0}": token("<|call|>")}}, "special_tokens_map.json": {"pad_token": "<|pad|>"}},
    "other flags than tokenizer.json's": {"tokenizer_config.json": {**FAST, "added_tokens_decoder": {
        "{end}": token("<|endoftext|>", rstrip=True), "{0}": token("<|call|>", rstrip=True)}}},
    "bos and eos asked for": {"tokenizer_config.json": {**FAST, "bos_token": "<|x|>", "eos_token": "<|endoftext|>",
                                                        "add_bos_token": True, "add_eos_token": True}},
    "bos not wanted": {"tokenizer_config.json": {**FAST, "bos_token": "<|endoftext|>", "add_bos_token": False}},
}
SLOW = {
    "gpt2 by class": {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}},
    "gpt2 with bos": {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True}},
    "gpt2 by model_type": {"config.json": {"model_type": "gpt2"}},
    "qwen by model_type": {"config.json": {"model_type": "qwen2"}},
    "qwen with names": {"config.json": {"model_type": "qwen2"}, "tokenizer_config.json": {
        "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|pad|>",
        "added_tokens_decoder": {"{0}": token("<|im_end|>"), "{1}": token("<|call|>")}}},
    "gpt2 with added tokens": {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"},
                               "added_tokens.json": {"<|call|>": 0, "<img>": 1}},
}


def write(folder, base, files, slow):
    tokenizer = json.loads((ROOT / f"tests/text/tokenizers/{base}.json").read_text())["tokenizer"]
    size = max([*tokenizer["model"]["vocab"].values(), *(-1 if slow else t["id"] for t in tokenizer["added_tokens"])]) + 1
    end = next((t["id"] for t in tokenizer["added_tokens"] if t["content"] == "<|endoftext|>"), 0)
    filled = json.loads(json.dumps(files))
    for name, content in filled.items():
        if "added_tokens_decoder" in content:
            content["added_tokens_decoder"] = {k.replace("{end}", str(end)) if "end" in k else str(size + int(k[1:-1])): v
                                               for k, v in content["added_tokens_decoder"].items()}
        if name == "added_tokens.json":
            filled[name] = {k: size + v for k, v in content.items()}
    if slow:
        filled["vocab.json"] = tokenizer["model"]["vocab"]
        merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    else:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name, content in filled.items():
        (folder / name).write_text(json.dumps(content))
    return {k: v for k, v in filled.items() if k != "vocab.json"}


def main():
    cases = []
    for base, group, slow in (("gpt2", CASES, False), ("qwen2", CASES, False), ("gpt2", SLOW, True), ("qwen2", SLOW, True)):
        for name, files in group.items():
            with tempfile.TemporaryDirectory() as temporary:
                folder = pathlib.Path(temporary)
                written = write(folder, base, files, slow)
                tokenizer = AutoTokenizer.from_pretrained(folder)
                ids = [tokenizer(text)["input_ids"] for text in TEXTS]
            cases.append({"name": name, "base": base, "slow": slow, "files": written, "ids": ids,
                          "bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id})
    text = json.dumps({"texts": TEXTS, "cases": cases}, ensure_ascii=False)
    (ROOT / "tests/text/added_tokens.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
