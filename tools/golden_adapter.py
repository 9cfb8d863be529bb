#!/usr/bin/env python3
"""Tiny LoRA adapters as PEFT saves them, with the logits that PEFT gives.

    python tools/golden_adapter.py

Writes tests/golden/adapters/<case>: adapter_config.json, adapter_model.safetensors and expected.safetensors (logits of
the ids 1, 5, 9, 20, 33, 47, without the adapter merged). The base models are those of tests/golden/models. Needs
transformers, peft and torch.
"""

import json
import pathlib
import shutil

import peft
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parent.parent
IDS = torch.tensor([[1, 5, 9, 20, 33, 47]])
CASES = {
    "plain": ("llama_31_scaling", dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"],
                                       alpha_pattern={"mlp.down_proj": 3}, rank_pattern={"v_proj": 2})),
    "root_and_head": ("llama_31_scaling", dict(r=4, lora_alpha=8, use_rslora=True, target_modules=["k_proj", "gate_proj"],
                                               modules_to_save=["lm_head"])),
    "embedding": ("llama_31_scaling", dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "o_proj"])),
    "conv1d": ("gpt2_inner_untied", dict(r=4, lora_alpha=4, fan_in_fan_out=True, target_modules=["c_attn", "c_proj"])),
}


def main():
    for name, (base, options) in CASES.items():
        folder = ROOT / "tests/golden/adapters" / name
        shutil.rmtree(folder, ignore_errors=True)
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_pretrained(ROOT / "tests/golden/models" / base / "model", dtype=torch.float32)
        model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **options))
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.data.normal_(0, 0.3)
        with torch.no_grad():
            logits = model.eval()(IDS).logits[0]
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        config = json.loads((folder / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = base
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
        save_file({"logits": logits.contiguous()}, folder / "expected.safetensors")
        print(name, sorted(p.name for p in folder.iterdir()))


if __name__ == "__main__":
    main()
