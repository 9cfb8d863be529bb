#!/usr/bin/env python3
"""GGUF twins of golden models, written by llama.cpp's own converter: NAME.gguf beside the checkpoint.

The checkpoints have no tokenizer, so the converter's vocabulary step is left out. Its readers imply some
values that the golden models set otherwise (Llama 4's chunk and temperature lengths): `gguf_tokens` in
case.json says how many tokens both agree on.

usage: golden_gguf.py CONVERTER_FOLDER   (a checkout of llama.cpp)
"""
import json
import pathlib
import shutil
import sys
import tempfile

from safetensors.numpy import load_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/models"
TWINS = ["gpt2_tied", "llama_31_scaling", "mistral3_multimodal",
         "olmo2_grouped", "gemma3_six_layers", "qwen3_tied", "qwen3_moe_normalised", "qwen3_next_usual",
         "qwen3_5_usual", "qwen3_5_multimodal", "qwen3_5_moe_usual", "smollm3_interval",
         "deepseek_v2_lite", "deepseek_v3_groups", "llama4_scout",
         "gpt_oss_yarn", "glm4_moe_mtp", "grok2_tight_caps", "storage_f16_llama", "storage_mxfp4_gpt_oss",
         "qwen2_tied", "qwen2_moe_shared", "mixtral_top_two", "gemma2_caps", "phi3_short_table", "phi3_long_table",
         "phimoe_short_table_window",
         "olmo3_yarn", "granite_multipliers", "granite4_tied", "glm4_half_rotates", "cohere2_pattern",
         "starcoder2_no_biases_untied", "seed_oss_wide_heads", "ernie4_5_tied", "ernie4_5_moe_shared",
         "minimax_m2_half_rotates", "ministral3_tempered", "glm4_moe_lite_mtp"]
TOKENS = {"llama4_scout": 8}
# The converter knows these under other names.
NAMES = {"kimi_k2": "deepseek_v3"}
CLASSES = {"PhimoeForCausalLM": "PhiMoEForCausalLM"}


def every_subclass(cls):
    for c in cls.__subclasses__():
        yield c
        yield from every_subclass(c)


def convert(converter, name):
    import conversion
    from conversion import base
    source = OUT / name / "model"
    half = "f16" in name
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "model"
        shutil.copytree(source, folder)
        config = json.loads((folder / "config.json").read_text())
        config["model_type"] = NAMES.get(config["model_type"], config["model_type"])
        config["architectures"] = [CLASSES.get(c, c) for c in config["architectures"]]
        (folder / "config.json").write_text(json.dumps(config))
        vocab = config.get("text_config", config)["vocab_size"]  # Gemma's rows beyond the tokenizer are cut
        (folder / "tokenizer.json").write_text(
            json.dumps({"model": {"vocab": {str(i): i for i in range(vocab)}}, "added_tokens": []}))
        target = OUT / name / f"{name}.gguf"
        target.unlink(missing_ok=True)
        sys.argv = ["convert", str(folder), "--outfile", str(target), "--outtype", "f16" if half else "f32"]
        if name.startswith("qwen3_") and not any(t.startswith("mtp.") for t in load_file(folder / "model.safetensors")):
            sys.argv.append("--no-mtp")
        hparams = base.ModelBase.load_hparams(folder, False)
        conversion.get_model_class(conversion.get_model_architecture(hparams, base.ModelType.TEXT))  # imports it
        for cls in every_subclass(base.ModelBase):
            if "set_vocab" in vars(cls):
                cls.set_vocab = lambda self: None
        converter.main()
    if name in TOKENS:
        case = OUT / name / "case.json"
        case.write_text(json.dumps(json.loads(case.read_text()) | {"gguf_tokens": TOKENS[name]}) + "\n")
    print(f"{name}.gguf: {target.stat().st_size} bytes")


def main():
    sys.path.insert(0, sys.argv[1])
    only = sys.argv[2:]
    import convert_hf_to_gguf as converter
    for name in TWINS:
        if not only or name in only:
            convert(converter, name)


if __name__ == "__main__":
    main()
