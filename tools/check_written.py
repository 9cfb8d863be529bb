#!/usr/bin/env python3
"""Reads files that Ashlar's writers made (tests/formats/written_test.cpp) with the reference libraries.

Usage: tools/check_written.py FOLDER. Needs: pip install gguf safetensors numpy torch. Ends with an error on any
difference.
"""
import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file


def expected(shape, first):
    count = int(np.prod(shape, dtype=np.int64))
    return (first + np.arange(count) % 97 / 8).astype(np.float32).reshape(shape)


def check_gguf(file):
    reader = gguf.GGUFReader(file)
    assert reader.fields["general.architecture"].contents() == "llama"
    assert reader.fields["a.u32"].contents() == 7 and reader.fields["a.i64"].contents() == -(1 << 40)
    assert reader.fields["a.f32"].contents() == 0.5 and reader.fields["a.yes"].contents() is True
    assert reader.fields["a.strings"].contents() == ["", "日本"] and reader.fields["a.ints"].contents() == [1, -2]
    tensors = {t.name: t for t in reader.tensors}
    x = tensors["x"].data
    assert np.array_equal(x, expected((4, 512), -3)), "x"
    checked = 0
    for name, t in tensors.items():
        if name + ".f32" not in tensors:
            continue
        assert t.tensor_type.name.lower() == name, name
        values = gguf.dequantize(t.data, t.tensor_type)
        assert np.array_equal(values, tensors[name + ".f32"].data), name
        if name in ("f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"):
            again = gguf.quantize(x, t.tensor_type)
            assert np.array_equal(again.view(np.uint8).ravel(), t.data.view(np.uint8).ravel()), name
        checked += 1
    assert checked == 15, checked
    return checked


def check_safetensors(folder):
    names = {"a": ((3, 5), 1, torch.bfloat16), "b": ((7,), 2, torch.float32), "c": ((1, 3), 3, torch.float16),
             "d": ((2, 2, 2), 4, torch.float32)}
    index = folder / "model.safetensors.index.json"
    files = ["model.safetensors"]
    if index.exists():
        weight_map = json.loads(index.read_text())["weight_map"]
        files = sorted(set(weight_map.values()))
        for name, file in weight_map.items():
            with safe_open(folder / file, "pt") as shard:
                assert name in shard.keys(), name
    tensors = {}
    for file in files:
        with safe_open(folder / file, "pt") as shard:
            assert shard.metadata() == {"format": "pt"}
        tensors |= load_file(folder / file)
    assert set(tensors) == set(names), set(tensors)
    for name, (shape, first, dtype) in names.items():
        want = torch.from_numpy(expected(shape, first)).to(dtype)
        assert tensors[name].dtype == dtype and torch.equal(tensors[name], want), name
    return len(files)


def main():
    folder = pathlib.Path(sys.argv[1])
    formats = check_gguf(folder / "out.gguf")
    single, shards = check_safetensors(folder / "single"), check_safetensors(folder / "sharded")
    assert single == 1 and shards > 1
    assert np.array_equal(np.load(folder / "x.npy"), expected((4, 512), -3))
    print(f"{formats} formats in GGUF, {single} and {shards} safetensors files, 1 npy file: all equal")


if __name__ == "__main__":
    main()
