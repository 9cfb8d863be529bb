#!/usr/bin/env python3
"""What keys that a config.json leaves out mean: the defaults of Transformers' configuration classes.

    python tools/config_defaults.py [--check]

Writes src/families/config_defaults.inc (the classes' own defaults; what a class works out from others is null or
absent) and tests/families/config_defaults.json (each class without a key given, and the same expanded). --check
writes nothing and fails where the two are not what this version of Transformers says. The model types are those of
src/families/*.cpp. Needs transformers (tools/requirements-golden.txt).
"""

import dataclasses
import json
import pathlib
import re
import sys

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Of every class, or of training and of files' bookkeeping: nothing that decides what is computed.
IGNORED = re.compile(r"transformers_version|architectures|output_\w+|return_dict|dtype|chunk_size_feed_forward|"
                     r"is_encoder_decoder|id2label|label2id|problem_type|initializer_range|use_cache|\w+_token_id|"
                     r"pretraining_tp|router_aux_loss_coef|router_jitter_noise|summary_\w+|\w+_dropout|\w+_pdrop|"
                     r"_name_or_path|model_type|rope_parameters|vision_config|text_config|audio_config")
# Keys without which a class's own defaults make no model.
NEEDED = {"deepseek_v2": {"num_experts_per_tok": 6}, "glm4_moe": {"head_dim": 128},
          "granitemoehybrid": {"num_local_experts": 0, "layer_types": ["attention"] * 32}}


def model_types():
    found = set()
    for file in sorted((ROOT / "src/families").glob("*.cpp")):
        for names in re.findall(r"\.model_types = \{([^}]*)\}", file.read_text()):
            found |= set(re.findall(r'"(\w+)"', names))
    return sorted(t for t in found if t in CONFIG_MAPPING and not hasattr(CONFIG_MAPPING[t], "text_config"))


def own_defaults(kind):
    defaults = {}
    for field in dataclasses.fields(kind):
        if IGNORED.fullmatch(field.name) or field.default is dataclasses.MISSING and \
                field.default_factory is dataclasses.MISSING:
            continue
        value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
        if value is None or isinstance(value, (bool, int, float, str, list)):
            defaults[field.name] = value
    # Not where a class without a word on rope means another theta than beside other words.
    rope = kind(**NEEDED.get(kind.model_type, {})).to_dict().get("rope_parameters") or {}
    if isinstance(kind.default_theta, float) and rope.get("rope_theta", kind.default_theta) == kind.default_theta:
        defaults["rope_theta"] = kind.default_theta
    return defaults


def expanded(model_type):
    given = {"model_type": model_type, **NEEDED.get(model_type, {})}
    kind = CONFIG_MAPPING[model_type]
    full = {k: v for k, v in kind(**NEEDED.get(model_type, {})).to_dict().items()
            if not IGNORED.fullmatch(k) or k in ("model_type", "rope_parameters")}
    return {"given": given, "expanded": full}


def main():
    types = [t for t in model_types() if not hasattr(CONFIG_MAPPING[t](), "text_config")]
    table = "// Made by tools/config_defaults.py: the defaults of Transformers' configuration classes, by model_type.\n"
    for t in types:
        table += f'{{"{t}",\n R"({json.dumps(own_defaults(CONFIG_MAPPING[t]))})"}},\n'
    cases = json.dumps({t: expanded(t) for t in types}, indent=1) + "\n"
    wrong = False
    for file, text in ((ROOT / "src/families/config_defaults.inc", table),
                       (ROOT / "tests/families/config_defaults.json", cases)):
        if "--check" not in sys.argv:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            print(f"{file.relative_to(ROOT)} is not what this version of Transformers says", file=sys.stderr)
            wrong = True
    sys.exit(wrong)


if __name__ == "__main__":
    main()
