#!/usr/bin/env python3
"""Golden files for tests/tensor and tests/formats, written by the reference libraries.

Needs: pip install gguf safetensors numpy torch. Run from the project's root: tools/golden_formats.py
Everything is seeded; running it again writes the same bytes (given the same versions of the libraries).
"""
import json
import pathlib

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/formats"
BLOCK_TYPES = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K,
               T.IQ4_NL, T.IQ4_XS, T.MXFP4]
# Byte offsets of the float16 scales inside a block: they are drawn finite and small.
SCALES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82],
          T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0],
          T.MXFP4: []}


def random_blocks(rng, kind, rows, cols):
    """Rows of random blocks: any bits in the quants; scales of many magnitudes, subnormal and zero too."""
    length, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows * cols // length, size), dtype=np.uint8)
    for at in SCALES[kind]:
        scale = (rng.standard_normal(len(blocks)) * 2.0 ** rng.integers(-30, 3, len(blocks))).astype(np.float16)
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, cols // length * size)


def blocks_file():
    """blocks.gguf: for every block type T a tensor `t` and what gguf.quants makes of it as F32, `t.f32`."""
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(OUT / "blocks.gguf", "golden")
    for kind in BLOCK_TYPES:
        data = random_blocks(rng, kind, 3, 1024)
        name = kind.name.lower()
        w.add_tensor(name, data, raw_dtype=kind)
        w.add_tensor(name + ".f32", gguf.dequantize(data, kind))
    half = rng.integers(0, 1 << 16, (2, 512), dtype=np.uint16)
    half[(half & 0x7c00) == 0x7c00] &= 0x83ff  # no NaN or infinity
    w.add_tensor("f16", half.view(np.float16))
    w.add_tensor("f16.f32", half.view(np.float16).astype(np.float32))
    brain = rng.integers(0, 1 << 16, (2, 512), dtype=np.uint16)
    brain[(brain & 0x7f80) == 0x7f80] &= 0x807f
    w.add_tensor("bf16", brain.view(np.uint8), raw_dtype=T.BF16)
    w.add_tensor("bf16.f32", gguf.dequantize(brain.view(np.uint8), T.BF16))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def metadata_file():
    """metadata.gguf: every kind of metadata value, and a tensor type that is no weight."""
    w = gguf.GGUFWriter(OUT / "metadata.gguf", "golden")
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -100)
    w.add_uint16("t.u16", 60000)
    w.add_int16("t.i16", -30000)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -2000000000)
    w.add_uint64("t.u64", 1 << 63)
    w.add_int64("t.i64", -(1 << 62))
    w.add_float32("t.f32", 0.1)
    w.add_float64("t.f64", 0.1)
    w.add_bool("t.yes", True)
    w.add_bool("t.no", False)
    w.add_string("t.string", "Grüße\n\0end")
    w.add_array("t.strings", ["", "a", "日本"])
    w.add_array("t.ints", [1, -2, 3])
    w.add_array("t.floats", [0.5, -0.25])
    w.add_array("t.bools", [True, False, True])
    w.add_tensor("positions", np.arange(12, dtype=np.int32).reshape(3, 4))
    w.add_tensor("cube", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def split_files():
    """split-0000N-of-00003.gguf: six small tensors, two in each part."""
    for old in OUT.glob("split-*.gguf"):
        old.unlink()
    w = gguf.GGUFWriter(OUT / "split.gguf", "golden", split_max_tensors=2)
    w.add_string("general.name", "in three parts")
    for i in range(6):
        w.add_tensor(f"part.{i}", np.full((2, 8), i, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    blocks_file()
    metadata_file()
    split_files()
    for f in sorted(OUT.rglob("*")):
        if f.is_file():
            print(f"{f.stat().st_size:8d} {f.relative_to(OUT)}")


if __name__ == "__main__":
    main()
