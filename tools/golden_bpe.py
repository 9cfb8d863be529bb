#!/usr/bin/env python3
"""Golden vocabularies of tests/text: Hugging Face's BpeTrainer on tests/golden/bpe/corpus.txt.

Writes tests/golden/bpe/expected.json: for some sizes and least frequencies the tokens by id, the merges in their order,
and the ids of the corpus' first lines.

    golden_bpe.py
"""
import json
import pathlib

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/bpe"
SPECIAL = "<|endoftext|>"


def train(lines, vocab, frequency):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, min_frequency=frequency, special_tokens=[SPECIAL],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return dict(vocab=vocab, min_frequency=frequency, tokens=tokens, merges=model["merges"],
                ids=[tokenizer.encode(line).ids for line in lines[:40]])


def main():
    lines = (OUT / "corpus.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    cases = [train(lines, vocab, frequency) for vocab, frequency in ((257, 0), (300, 0), (900, 2), (5000, 1))]
    (OUT / "expected.json").write_text(json.dumps(cases, ensure_ascii=False, indent=None) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
