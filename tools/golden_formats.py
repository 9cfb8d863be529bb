#!/usr/bin/env python3
"""Golden files for tests/tensor and tests/formats, written by the reference libraries.

Needs: pip install gguf safetensors numpy torch transformers compressed-tensors.
Everything is seeded; running it again writes the same bytes (given the same versions of the libraries).
With --ggml LIBRARY (llama.cpp's libggml-base.so) it also writes what ggml's reference quantisers make.
"""
import argparse
import ctypes
import json
import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
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
        data = random_blocks(rng, kind, 2, 768)
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


def quantised_file(library):
    """quantised.gguf: values `x` and, for every type T, the blocks ggml's reference quantiser makes of them."""
    ggml = ctypes.CDLL(library)
    rng = np.random.default_rng(7)
    rows = [rng.standard_normal(1024),                                        # plain
            rng.standard_normal(1024) * 2.0 ** rng.integers(-20, 20, 1024),   # many magnitudes
            rng.standard_normal(1024) * 2.0 ** (np.arange(1024) // 32 % 24 - 20.0),  # groups of unlike size
            np.abs(rng.standard_normal(1024)),                                # of one sign
            np.where(rng.random(1024) < 0.8, 0, rng.standard_normal(1024)),   # mostly zero
            np.repeat([0.0, 1.5, -2.0, 1e-4], 256)]                           # constant
    x = np.ascontiguousarray(np.stack(rows), dtype=np.float32)
    w = gguf.GGUFWriter(OUT / "quantised.gguf", "golden")
    w.add_tensor("x", x)
    for kind in BLOCK_TYPES:
        length, size = GGML_QUANT_SIZES[kind]
        out = np.zeros((len(x), x.shape[1] // length * size), dtype=np.uint8)
        name = kind.name.lower().replace("_k", "_K")
        if kind == T.IQ4_NL:  # the _ref function is a quicker, coarser one than the quantiser of files
            call = getattr(ggml, "quantize_iq4_nl")
            call(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(len(x)),
                 ctypes.c_int64(x.shape[1]), None)
        else:
            call = getattr(ggml, f"quantize_row_{name}_ref")
            call(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
        if kind in (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0):
            assert np.array_equal(out, gguf.quantize(x, kind)), kind  # the Python reference agrees
        w.add_tensor(kind.name.lower(), out, raw_dtype=kind)
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


def plain_folder():
    """plain/: one file with every dtype the library writes; `x.f32` is what `x` holds."""
    g = torch.Generator().manual_seed(2)
    x = torch.randn(5, 7, generator=g) * 100
    tensors = {"odd": torch.tensor([1, 2, 3], dtype=torch.uint8)}
    for name, dtype in (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)):
        tensors[f"w.{name}"] = x.to(dtype)
        tensors[f"w.{name}.f32"] = x.to(dtype).float().clone()
    tensors["scalar"] = torch.tensor(3.5)
    tensors["empty"] = torch.zeros(0, 4)
    for dtype in (torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool):
        tensors["other." + str(dtype).split(".")[1]] = torch.ones(3, dtype=dtype)
    folder = OUT / "plain"
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def sharded_folder():
    """sharded/: two shards and an index, as save_pretrained writes them."""
    folder = OUT / "sharded"
    folder.mkdir(exist_ok=True)
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    weight_map = {}
    for i, shard in enumerate(names):
        tensors = {f"layer.{i}.{w}": torch.full((2, 3), 10.0 * i + len(w)) for w in ("a", "bb")}
        save_file(tensors, folder / shard, metadata={"format": "pt"})
        weight_map |= {name: shard for name in tensors}
    index = {"metadata": {"total_size": 96, "notes": [{"deep": [1, 2]}]}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def fp8_expected(weight, scale, block):
    """DeepSeek's rule, spelled out: every value times the scale of its block."""
    rows = scale.repeat_interleave(block[0], dim=-2)[..., : weight.shape[-2], :]
    full = rows.repeat_interleave(block[1], dim=-1)[..., : weight.shape[-1]]
    return weight.float() * full


def e4m3(g, *shape):
    x = torch.randint(0, 256, shape, generator=g, dtype=torch.uint8)
    x[(x & 127) == 127] = 0  # NaN
    return x.view(torch.float8_e4m3fn)


def fp8_folders():
    """fp8/ and fp8_small/: block scales with ragged blocks, stacked experts, and row and tensor scales."""
    g = torch.Generator().manual_seed(3)
    for folder, block, shapes in (("fp8", (128, 128), [(129, 256), (5, 200), (2, 3, 128)]),
                                  ("fp8_small", (8, 32), [(20, 72), (3, 16, 64)])):
        tensors = {}
        for i, shape in enumerate(shapes):
            w = e4m3(g, *shape)
            cuts = [-(-s // b) for s, b in zip(shape[-2:], block)]
            scale = torch.rand(*shape[:-2], *cuts, generator=g) * 0.01
            tensors[f"m.{i}.weight"] = w
            tensors[f"m.{i}.weight_scale_inv"] = scale
            tensors[f"m.{i}.expected"] = fp8_expected(w, scale, block)
        if folder == "fp8":
            w = e4m3(g, 6, 40)
            row = (torch.rand(6, 1, generator=g) * 0.1).bfloat16()
            one = torch.tensor(0.125)
            tensors |= {"row.weight": w, "row.weight_scale": row, "row.expected": w.float() * row.float(),
                        "one.weight": w.clone(), "one.weight_scale_inv": one, "one.expected": w.float() * one,
                        "bare.weight": w.clone()}
        (OUT / folder).mkdir(exist_ok=True)
        save_file(tensors, OUT / folder / "model.safetensors", metadata={"format": "pt"})
        if folder == "fp8_small":
            config = {"quantization_config": {"quant_method": "fp8", "weight_block_size": list(block)}}
            (OUT / folder / "config.json").write_text(json.dumps(config) + "\n")


def mxfp4_folder():
    """mxfp4/: as gpt-oss stores experts; expected as Transformers' convert_moe_packed_tensors makes them."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    g = torch.Generator().manual_seed(4)
    blocks = torch.randint(0, 256, (2, 6, 3, 16), generator=g, dtype=torch.uint8)
    scales = torch.randint(100, 140, (2, 6, 3), generator=g, dtype=torch.uint8)
    expected = convert_moe_packed_tensors(blocks.clone(), scales.clone(), dtype=torch.float32)
    tensors = {"experts.down_proj_blocks": blocks, "experts.down_proj_scales": scales,
               "experts.down_proj_bias": torch.ones(2, 6, dtype=torch.bfloat16),
               # The library returns [experts, in, out]; Ashlar keeps rows as on disk.
               "expected": expected.transpose(1, 2).contiguous()}
    (OUT / "mxfp4").mkdir(exist_ok=True)
    save_file(tensors, OUT / "mxfp4" / "model.safetensors", metadata={"format": "pt"})


def int4_folder():
    """int4/: pack-quantized as Kimi K2 Thinking's experts; packed by compressed-tensors."""
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
    g = torch.Generator().manual_seed(5)
    tensors = {}
    for i, (out, cols) in enumerate([(6, 64), (3, 32)]):
        q = torch.randint(-8, 8, (out, cols), generator=g, dtype=torch.int8)
        scale = (torch.rand(out, cols // 32, generator=g) * 0.1).bfloat16()
        name = f"experts.{i}.down_proj.weight"
        tensors[name + "_packed"] = pack_to_int32(q, 4)
        tensors[name + "_scale"] = scale
        tensors[name + "_shape"] = torch.tensor([out, cols], dtype=(torch.int64, torch.int32)[i])
        tensors[f"experts.{i}.expected"] = q.float() * scale.float().repeat_interleave(32, dim=1)
    # Groups of 16: well-formed, not read.
    tensors["odd.weight_packed"] = torch.zeros(2, 8, dtype=torch.int32)
    tensors["odd.weight_scale"] = torch.ones(2, 4, dtype=torch.bfloat16)
    tensors["odd.weight_shape"] = torch.tensor([2, 64])
    (OUT / "int4").mkdir(exist_ok=True)
    save_file(tensors, OUT / "int4" / "model.safetensors", metadata={"format": "pt"})


def sliced_folder():
    """sliced/: tensor-parallel slices as Grok 2 is published: w1, w3 cut by rows, w2 by columns."""
    folder = OUT / "sliced"
    folder.mkdir(exist_ok=True)
    g = torch.Generator().manual_seed(6)
    whole = {w: torch.randn(*shape, generator=g).bfloat16()
             for w, shape in (("w1", (12, 4)), ("w2", (4, 12)), ("w3", (12, 4)))}
    prefix = "model.layers.0.block_sparse_moe.experts.0."
    for n, (w, tensor) in enumerate(whole.items()):
        for rank, part in enumerate(tensor.chunk(3, dim=1 if w == "w2" else 0)):
            save_file({f"{prefix}{w}.weight": part.contiguous()},
                      folder / f"pytorch_model-0000{n + 1}-TP-{rank:03d}.safetensors")
    common = {f"expected.{w}": tensor for w, tensor in whole.items()}
    common["model.norm.weight"] = torch.ones(4).bfloat16()
    save_file(common, folder / "pytorch_model-00000-TP-common.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ggml", metavar="LIBRARY", help="libggml-base.so, for quantised.gguf")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if options.ggml:
        quantised_file(options.ggml)
    blocks_file()
    metadata_file()
    split_files()
    plain_folder()
    sharded_folder()
    fp8_folders()
    mxfp4_folder()
    int4_folder()
    sliced_folder()
    for f in sorted(OUT.rglob("*")):
        if f.is_file():
            print(f"{f.stat().st_size:8d} {f.relative_to(OUT)}")


if __name__ == "__main__":
    main()
