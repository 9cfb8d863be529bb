"""Files that lie or are broken, through the `ashlar` command: one clear message, no crash, no hang, little memory.

The readers' own corpora (tests/formats) try every field of the formats; here is what only the whole program shows:
configs, tokenizers, templates, lists of ids, folders and pipes in the place of files.
"""

import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess

from program import LONG, PROGRAM, ROOT, Case, cpu_seconds

MODEL = ROOT / "tests/golden/models/llama_31_scaling/model"
TOKENIZER = json.loads((ROOT / "tests/text/tokenizers/gpt2.json").read_text())["tokenizer"]
MEMORY = 4_000_000 * 1024
SECONDS = 10
U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)


def confined():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# ---- GGUF, written so that every field can lie

def packed(kind, value):
    return struct.pack("<" + "BbHhIif?__Qqd"[kind], value)


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    return struct.pack("<I", kind) + (string(value) if kind == STRING else packed(kind, value))


def array(kind, values):
    body = b"".join(string(v) if kind == STRING else packed(kind, v) for v in values)
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + body


def nested(depth):
    return struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", U8, 0)


def tensor(name, dims, kind=0, offset=0):
    return string(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + \
        struct.pack("<IQ", kind, offset)


TOKENS = ["<s>", "</s>", *(chr(c) if 33 <= c <= 126 else "ab" if c == 0 else f"x{c}" for c in range(254))]
KEYS = {
    "general.architecture": scalar(STRING, "llama"), "llama.block_count": scalar(U32, 1),
    "llama.context_length": scalar(U32, 64), "llama.embedding_length": scalar(U32, 8),
    "llama.feed_forward_length": scalar(U32, 16), "llama.attention.head_count": scalar(U32, 2),
    "llama.attention.head_count_kv": scalar(U32, 1), "llama.attention.layer_norm_rms_epsilon": scalar(F32, 1e-5),
    "llama.rope.dimension_count": scalar(U32, 4), "llama.vocab_size": scalar(U32, 256),
    "tokenizer.ggml.model": scalar(STRING, "gpt2"), "tokenizer.ggml.pre": scalar(STRING, "gpt-2"),
    "tokenizer.ggml.tokens": array(STRING, TOKENS), "tokenizer.ggml.token_type": array(I32, [3, 3] + [1] * 254),
    "tokenizer.ggml.merges": array(STRING, ["a b"]), "tokenizer.ggml.bos_token_id": scalar(U32, 0),
    "tokenizer.ggml.eos_token_id": scalar(U32, 1),
    "tokenizer.chat_template": scalar(STRING, "{{ messages[0].content }}"),
}
TENSORS = {
    "token_embd.weight": [8, 256], "output_norm.weight": [8], "blk.0.attn_norm.weight": [8], "blk.0.ffn_norm.weight": [8],
    "blk.0.attn_q.weight": [8, 8], "blk.0.attn_k.weight": [8, 4], "blk.0.attn_v.weight": [8, 4],
    "blk.0.attn_output.weight": [8, 8], "blk.0.ffn_gate.weight": [8, 16], "blk.0.ffn_up.weight": [8, 16],
    "blk.0.ffn_down.weight": [16, 8],
}


def gguf(keys=None, rows=None, version=3, counts=None, cut=0, order="<"):
    keys = {**KEYS, **(keys or {})}
    keys = {k: v for k, v in keys.items() if v is not None}
    table, offset = [], 0
    for name, dims in TENSORS.items():
        table.append(tensor(name, dims, 0, offset))
        size = 4
        for d in dims:
            size *= d
        offset += (size + 31) // 32 * 32
    table = rows(table) if rows else table
    n_tensors, n_keys = counts or (len(table), len(keys))
    head = b"GGUF" + struct.pack(order + "IQQ", version, n_tensors, n_keys)
    head += b"".join(string(k) + v for k, v in keys.items()) + b"".join(table)
    data = head + b"\0" * (-len(head) % 32) + b"\0" * offset
    return data[:len(data) - cut]


def gguf_cases():
    huge = 2 ** 64 - 1
    yield "version 1", gguf(version=1)
    yield "big-endian", gguf(order=">")
    yield "version 2^31", gguf(version=2 ** 31)
    yield "counts near 2^64", gguf(counts=(huge, huge))
    yield "count of tensors 2^40", gguf(counts=(2 ** 40, len(KEYS)))
    yield "count of keys 2^63", gguf(counts=(11, 2 ** 63))
    yield "string of 2^64-1 bytes", gguf({"general.name": struct.pack("<IQ", STRING, huge)})
    yield "string of 2^63 bytes", gguf({"general.name": struct.pack("<IQ", STRING, 2 ** 63)})
    yield "array of 2^64-1 strings", gguf({"a.b": struct.pack("<IIQ", ARRAY, STRING, huge)})
    yield "array of 2^61 numbers", gguf({"a.b": struct.pack("<IIQ", ARRAY, U64, 2 ** 61)})
    yield "arrays nested 100000 deep", gguf({"a.b": nested(100_000)})
    yield "a type of 99", gguf({"a.b": struct.pack("<I", 99)})
    for value in (0, 1, 3, 2 ** 31, 2 ** 32 - 1):
        if value != 1:
            yield f"alignment {value}", gguf({"general.alignment": scalar(U32, value)})
    yield "alignment as text", gguf({"general.alignment": scalar(STRING, "32")})
    yield "alignment -32", gguf({"general.alignment": scalar(I32, -32)})
    yield "a tensor twice", gguf(rows=lambda t: t + [t[1]])
    yield "dims whose product overflows", gguf(rows=lambda t: [tensor("token_embd.weight", [2 ** 32, 2 ** 32])] + t[1:])
    yield "dims near 2^63", gguf(rows=lambda t: [tensor("token_embd.weight", [2 ** 63 - 1, 2])] + t[1:])
    yield "a dim of 0", gguf(rows=lambda t: [tensor("token_embd.weight", [0, 256])] + t[1:])
    yield "no dims", gguf(rows=lambda t: [tensor("token_embd.weight", [])] + t[1:])
    yield "5 dims", gguf(rows=lambda t: [tensor("token_embd.weight", [1] * 5)] + t[1:])
    yield "2^32-1 dims", gguf(rows=lambda t: [string("x") + struct.pack("<I", 2 ** 32 - 1)] + t[1:])
    yield "an unknown tensor type", gguf(rows=lambda t: [tensor("token_embd.weight", [8, 256], 77)] + t[1:])
    yield "blocks that do not fit", gguf(rows=lambda t: [tensor("token_embd.weight", [8, 256], 8)] + t[1:])
    yield "an unaligned offset", gguf(rows=lambda t: [tensor("token_embd.weight", [8, 256], 0, 3)] + t[1:])
    yield "an offset beyond the file", gguf(rows=lambda t: [tensor("token_embd.weight", [8, 256], 0, 2 ** 40)] + t[1:])
    yield "an offset of 2^64-32", gguf(rows=lambda t: [tensor("token_embd.weight", [8, 256], 0, 2 ** 64 - 32)] + t[1:])
    yield "overlapping tensors", gguf(rows=lambda t: t[:-1] + [tensor("blk.0.ffn_down.weight", [16, 8], 0, 0)])
    yield "a missing tensor", gguf(rows=lambda t: t[:-1])
    yield "no tensors", gguf(rows=lambda t: [])
    yield "a misshapen tensor", gguf(rows=lambda t: [tensor("token_embd.weight", [256, 8])] + t[1:])
    yield "cut", gguf(cut=100)
    yield "cut in the head", gguf()[:300]
    for n in (0, 1, 4, 8, 23, 24):
        yield f"{n} bytes", gguf()[:n]
    # Metadata that makes no sense, or is of another type.
    for key, values in {
        "general.architecture": [scalar(STRING, ""), scalar(STRING, "../../etc"), scalar(U32, 7), None],
        "llama.block_count": [scalar(U32, 0), scalar(U32, 10 ** 9), scalar(I32, -1), scalar(U64, huge), scalar(STRING, "1"),
                              scalar(F32, float("nan")), array(U32, []), None],
        "llama.embedding_length": [scalar(U32, 0), scalar(U64, 2 ** 62), scalar(I64, -8), scalar(F64, float("inf"))],
        "llama.feed_forward_length": [scalar(U64, 2 ** 62), scalar(I32, -16), array(I32, [])],
        "llama.attention.head_count": [scalar(U32, 0), scalar(U32, 3), scalar(U64, 2 ** 62), scalar(I32, -2),
                                       array(U32, [2, 4])],
        "llama.attention.head_count_kv": [scalar(U32, 0), scalar(U32, 3), scalar(I32, -1)],
        "llama.attention.layer_norm_rms_epsilon": [scalar(STRING, "small"), array(F32, [1e-5])],
        "llama.rope.dimension_count": [scalar(U32, 3), scalar(U64, 2 ** 40), scalar(I32, -4)],
        "llama.context_length": [scalar(I64, -5), scalar(STRING, "long")],
    }.items():
        for value in values:
            yield f"{key} {None if value is None else value.hex()[:40]}", gguf({key: value})


def gguf_text_cases():
    """What only tokenizing sees."""
    yield "no tokens", gguf({"tokenizer.ggml.tokens": None})
    yield "tokens that are numbers", gguf({"tokenizer.ggml.tokens": array(U32, range(256))})
    yield "an unknown tokenizer", gguf({"tokenizer.ggml.model": scalar(STRING, "nonsense")})
    yield "an unknown pre-tokenizer", gguf({"tokenizer.ggml.pre": scalar(STRING, "nonsense")})
    yield "merges of unknown pieces", gguf({"tokenizer.ggml.merges": array(STRING, ["qq zz"])})
    yield "a merge of three", gguf({"tokenizer.ggml.merges": array(STRING, ["a b c"])})
    yield "a merge without a space", gguf({"tokenizer.ggml.merges": array(STRING, ["ab"])})
    yield "too few types", gguf({"tokenizer.ggml.token_type": array(I32, [1])})
    yield "a type of 99", gguf({"tokenizer.ggml.token_type": array(I32, [99] * 256)})
    yield "scores of another length", gguf({"tokenizer.ggml.model": scalar(STRING, "llama"),
                                            "tokenizer.ggml.scores": array(F32, [0.0])})
    yield "an id beyond the tokens", gguf({"tokenizer.ggml.bos_token_id": scalar(U32, 2 ** 31)})
    yield "an id of -1", gguf({"tokenizer.ggml.bos_token_id": scalar(I32, -1)})
    yield "an id as text", gguf({"tokenizer.ggml.eos_token_id": scalar(STRING, "</s>")})
    yield "a template that is a number", gguf({"tokenizer.chat_template": scalar(U32, 4)})
    yield "ends that are text", gguf({"tokenizer.ggml.eos_token_ids": array(STRING, ["a"])})


# ---- config.json

CONFIG = json.loads((MODEL / "config.json").read_text())
RAW = "\0"  # marks text that goes into the JSON as it is


def config_cases():
    absurd = {
        "num_hidden_layers": [10 ** 9, 10 ** 30, -1, 0, "2", 2.5, None, [], {}],
        "vocab_size": [-1, 0, 2 ** 62, "80", 10 ** 40, 1.5],
        "hidden_size": [0, -32, 2 ** 62, 31, "wide", [32]],
        "intermediate_size": [0, -1, 2 ** 62, None],
        "num_attention_heads": [0, -4, 3, 10 ** 9, 2 ** 62, "4"],
        "num_key_value_heads": [0, -1, 3, 10 ** 9, [2]],
        "head_dim": [0, -8, 7, 2 ** 62, "8"],
        "max_position_embeddings": [-1, "many", 10 ** 40],
        "rms_norm_eps": ["1e-5", -1.0, RAW + "NaN", RAW + "1e999", RAW + "-Infinity", [1]],
        "rope_theta": ["big", 0, -1.0, RAW + "Infinity", {}],
        "tie_word_embeddings": ["yes", 3, []],
        "rope_scaling": [3, "llama3", [], {"rope_type": "nonsense", "factor": 2.0}, {"rope_type": "llama3"},
                         {"rope_type": "llama3", "factor": "8", "low_freq_factor": 1, "high_freq_factor": 4,
                          "original_max_position_embeddings": 64},
                         {"rope_type": "llama3", "factor": 0, "low_freq_factor": 1, "high_freq_factor": 1,
                          "original_max_position_embeddings": 0},
                         {"rope_type": "yarn", "factor": -2}, {"rope_type": "yarn", "factor": RAW + "1e400"}],
        "model_type": ["", None, 5, [], "qwen4"],
        "architectures": [3, [], [None], [[]], ["Nothing"]],
        "hidden_act": ["nonsense", 7],
        "layer_types": [["full_attention"] * 1000, ["nonsense"] * 2, "full_attention", [3, 4]],
        "quantization_config": [3, {"weight_block_size": [0, 0]}, {"weight_block_size": "big"}, {"quant_method": 7}],
        "attention_bias": ["no", 2],
    }
    base = {k: v for k, v in CONFIG.items() if k != "model_type"}
    for key, values in absurd.items():
        for value in values:
            config = {**(base if key == "architectures" else CONFIG), key: value}
            if key in ("rope_theta", "rope_scaling"):
                config.pop("rope_parameters", None)
            text = json.dumps(config)
            for raw in ("NaN", "1e999", "1e400", "-Infinity", "Infinity"):
                text = text.replace(json.dumps(RAW + raw), raw)
            yield f"{key} {json.dumps(value)[:60]}", text
    for text in ("", "{", "[]", "3", "null", '"text"', "\xff\xfe", "{}", "[" * 100_000, '{"a":' * 100_000,
                 '{"model_type": "llama"} trailing', json.dumps(CONFIG)[:-5], "\0" * 100):
        yield f"the text {text[:20]!r}", text
    yield "nested 100000 deep", json.dumps(CONFIG)[:-1] + ', "deep": ' + "[" * 100_000 + "]" * 100_000 + "}"


# ---- safetensors

def safetensors(header, data=b"\0" * 64, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2, 2), offsets=(0, 16)):
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def safetensors_cases():
    yield "empty", b""
    yield "7 bytes", b"\0" * 7
    for length in (2 ** 63, 2 ** 64 - 1, 2 ** 40, 1000, 0):
        yield f"a header of {length} bytes", safetensors(entry(), length=length)
    for header in (b"[]", b"3", b"null", b"{", b"\xff", b'{"x": 3}', b'{"x": []}', b'{"x": {}}', b"[" * 50_000,
                   b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'):
        yield f"the header {header[:20]!r}", safetensors(header)
    yield "metadata that is a list", safetensors({"__metadata__": [], **entry()})
    yield "metadata of numbers", safetensors({"__metadata__": {"a": 1}, **entry()})
    for dtype in ("F99", "", 3, None):
        yield f"dtype {dtype}", safetensors(entry(dtype=dtype))
    for shape in ([2 ** 62, 2 ** 62], [2 ** 63], [-1, 2], [2.5], ["2"], "22", None, [2, 3], [0, 0], {"a": 1}):
        yield f"shape {shape}", safetensors(entry(shape=shape))
    for offsets in ([0, 15], [16, 0], [-16, 0], [0, 2 ** 63], [60, 76], [0], [0, 16, 32], "0,16", None, [0.5, 16], [2 ** 70, 1]):
        yield f"offsets {offsets}", safetensors(entry(offsets=offsets))
    yield "a hole", safetensors(entry(offsets=(16, 32)))
    yield "overlap", safetensors({**entry(), "y": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}})


def index_cases():
    for name, value in {
        "a missing file": {"weight_map": {"a": "nowhere.safetensors"}}, "a file above": {"weight_map": {"a": "../x.safetensors"}},
        "an absolute file": {"weight_map": {"a": "/etc/passwd"}}, "..": {"weight_map": {"a": ".."}},
        ".": {"weight_map": {"a": "."}}, "no name": {"weight_map": {"a": ""}}, "a number": {"weight_map": {"a": 3}},
        "a list": {"weight_map": ["a"]}, "no map": {}, "an empty map": {"weight_map": {}}, "no object": [],
        "itself": {"weight_map": {"a": "model.safetensors.index.json"}},
        "a zero byte": {"weight_map": {"a": "x\0.safetensors"}},
        "a tensor that is not there": {"weight_map": {"nothing": "model-1.safetensors"}},
    }.items():
        yield name, json.dumps(value)


# ---- tokenizers and templates

def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def tokenizer_cases():
    def changed(**parts):
        return {**TOKENIZER, **parts}
    model = TOKENIZER["model"]
    yield "merges of unknown pieces", changed(model={**model, "merges": ["qqq zzz"]})
    yield "merges that are numbers", changed(model={**model, "merges": [3, 4]})
    yield "a merge of one", changed(model={**model, "merges": [["a"]]})
    yield "merges that are text", changed(model={**model, "merges": "a b"})
    yield "a vocabulary that is a list", changed(model={**model, "vocab": []})
    yield "ids of -1", changed(model={**model, "vocab": {"a": -1}})
    yield "ids of 2^40", changed(model={**model, "vocab": {"a": 2 ** 40}})
    yield "ids that are text", changed(model={**model, "vocab": {"a": "1"}})
    yield "two tokens of one id", changed(model={**model, "vocab": {"a": 1, "b": 1}})
    yield "no model", {k: v for k, v in TOKENIZER.items() if k != "model"}
    yield "another kind of model", changed(model={"type": "Nonsense"})
    yield "a kind that is a number", changed(model={"type": 3})
    yield "added tokens that are text", changed(added_tokens=["a"])
    yield "an added token of -5", changed(added_tokens=[{"id": -5, "content": "x", "special": True}])
    yield "an added token of 2^31", changed(added_tokens=[{"id": 2 ** 31, "content": "x", "special": True}])
    yield "an unknown pre-tokenizer", changed(pre_tokenizer={"type": "Nonsense"})
    yield "a sequence of nothing", changed(pre_tokenizer={"type": "Sequence"})
    sequence = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    for _ in range(200):
        sequence = {"type": "Sequence", "pretokenizers": [sequence]}
    yield "sequences nested 200 deep", changed(pre_tokenizer=sequence)
    for pattern in ("(", "[", "a{2,1}", "(?P<x>a", "\\", "a{99999}{99999}", "(" * 5000 + ")" * 5000, "[z-a]", "\\p{Nonsense}",
                    "(?<=a*)b", "\\1", "(?R)", "x{1000}" * 2000, "(a{1000}){1000}"):
        yield f"the expression {pattern[:30]}", changed(pre_tokenizer=split(pattern))
    yield "an unknown normalizer", changed(normalizer={"type": "Nonsense"})
    yield "a replacement without a pattern", changed(normalizer={"type": "Replace"})
    yield "an unknown decoder", changed(decoder={"type": "Nonsense"})
    yield "an unknown post-processor", changed(post_processor={"type": "Nonsense"})
    yield "a template of unknown tokens", changed(post_processor={
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "nowhere", "type_id": 0}}], "pair": [],
        "special_tokens": {}})


SLOW_PATTERNS = ["(a+)+$", "(a|aa)+$", "(?=(a+)+$)a", "(a*)*b", "(?:(?:a+)+)+(?!a)b", "(?>a+)b|(a+)+(?<!a)c", "(\\s+)+(?!\\S)x",
                 "([^b]+)+(?=b)", "((a{0,9}){0,9}){0,9}b(?!x)"]

TEMPLATES = {
    "an unterminated tag": "{% if x", "an unterminated expression": "{{ x", "an unterminated comment": "{# x",
    "an unterminated text": "{{ 'x }}", "an unterminated block": "{% if true %}x", "a stray end": "x{% endif %}",
    "an unknown tag": "{% nonsense %}", "an unknown filter": "{{ 1 | nonsense }}", "an unknown test": "{{ 1 is nonsense }}",
    "nested brackets": "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}", "nested lists": "{{ " + "[" * 50_000,
    "nested ifs": "{% if true %}" * 50_000, "nested loops": "{% for a in [1] %}" * 5000, "a chain of nots": "{{ " + "not " * 100_000 + "1 }}",
    "a chain of minuses": "{{ " + "-" * 100_000 + "1 }}", "a chain of filters": "{{ 1" + "|string" * 100_000 + " }}",
    "a chain of powers": "{{ 2" + " ** 2" * 50_000 + " }}",
    "include": "{% include 'other.jinja' %}", "import": "{% import 'other.jinja' as x %}", "from": "{% from 'o' import x %}",
    "extends": "{% extends 'other.jinja' %}", "super": "{% block a %}{{ super() }}{% endblock %}",
    "range": "{{ range(10**9) | list }}", "a loop over a range": "{% for i in range(10**9) %}{% endfor %}",
    "loops in loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
    "a long text": "{{ 'a' * 10**9 }}", "a longer text": "{{ 'a' * 10**18 }}", "the longest text": "{{ 'a' * 10**40 }}",
    "a long list": "{{ [1, 2, 3] * 10**9 }}", "a longer list": "{{ [none] * 10**18 }}", "a long tuple": "{{ (1,) * 10**9 }}",
    "texts that double": "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "lists that double": "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "lists of lists": "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "lists of lists to JSON": "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
    "lists of lists compared": "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
                               "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
    "a deep list": "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    "a long join": "{{ range(99999) | join('a' * 99999) }}", "a long replace": "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
    "a long replace of nothing": "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
    "center": "{{ 'a' | center(10**9) }}", "center far": "{{ 'a' | center(10**18) }}", "ljust": "{{ 'a'.ljust(10**10) }}",
    "zfill": "{{ 'a'.zfill(10**10) }}", "expandtabs": "{{ '\t'.expandtabs(10**10) }}", "indent": "{{ 'a\na' | indent(10**10) }}",
    "a wide format": "{{ '%1000000000d' % 1 }}", "a wide format of *": "{{ '%*d' % (10**9, 1) }}", "a wide precision": "{{ '%.1000000000f' % 1.0 }}",
    "a wide brace format": "{{ '{:1000000000}'.format(1) }}", "a wide brace precision": "{{ '{:.1000000000f}'.format(1.0) }}",
    "a wide filter format": "{{ '%1000000000s' | format('x') }}",
    "a big power": "{{ 10 ** (10 ** 9) }}", "powers of powers": "{{ (10 ** 100000) ** 100000 }}", "a big shift of a power": "{{ 2 ** (2 ** 62) }}",
    "a big int printed": "{{ 10 ** 5000 }}",
    "big products": "{% set ns = namespace(x=10**9) %}{% for i in range(40) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macros that call each other": "{% macro a(n) %}{{ b(n) }}{{ b(n) }}{% endmacro %}{% macro b(n) %}{{ a(n) }}{% endmacro %}{{ a(1) }}",
    "a loop that calls itself": "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a block that calls itself": "{% block a %}{{ self.a() }}{% endblock %}",
    "slices": "{{ range(10**9) | list | slice(10**9) | list }}", "batches": "{{ [1] | batch(10**9, 'x') | list }}",
    "slices of one": "{{ [1] | slice(10**9) | list }}",
    "wordwrap": "{{ ('a' * 10**6) | wordwrap(1) | wordwrap(1) | wordwrap(1, wrapstring='b' * 10**6) }}",
    "urlize": "{{ ('www.a.de ' * 10**6) | urlize(target='x' * 10**6) }}",
    "tojson far indented": "{{ [[[1]]] | tojson(indent=10**9) }}", "pprint": "{{ (range(10**6) | list) | pprint | length * 0 / 0 }}",
    "sorting": "{% for i in range(10**6) %}{{ range(10**4) | list | sort | first }}{% endfor %}",
    "lipsum": "{{ lipsum(10**9) }}", "a cycler": "{% set c = cycler(1) %}{% for i in range(10**9) %}{{ c.next() }}{% endfor %}",
    "groups": "{{ range(10**7) | groupby(0) }}", "a dict": "{{ dict(range(10**8) | batch(2)) }}",
    "an attribute of the sandbox": "{{ ''.__class__.__mro__[1].__subclasses__()[0]() }}",
    "a format of the sandbox": "{{ '{0.__class__.__mro__}'.format('') ~ missing.x }}",
}


class Hostile(Case):
    def setUp(self):
        super().setUp()
        self.model = self.tmp / "model"
        shutil.copytree(MODEL, self.model)
        (self.model / "tokenizer.json").write_text(json.dumps(TOKENIZER))
        (self.model / "chat_template.jinja").write_text("{{ messages[0].content }}")
        self.messages = self.write("messages.json", [{"role": "user", "content": "Hi"}])

    def ends_well(self, args, fails=True, seconds=SECONDS, says=None):
        """An exit code of its own, one message that names the trouble, in bounds of time and memory."""
        before = cpu_seconds()
        try:
            done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, timeout=300, preexec_fn=confined,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            self.fail(f"{args} hangs")
        err = done.stderr.decode(errors="replace")
        self.assertIn(done.returncode, (1, 2, 3) if fails else (0, 1, 2, 3), f"{args}: {err[-2000:]}")
        self.assertNotIn("terminate called", err)
        if done.returncode != 0:
            self.assertTrue(err.startswith("ashlar: "), err[:500])
            self.assertLess(len(err), 6000, err[:300])
        if says and done.returncode != 0:
            self.assertIn(says, err)
        self.assertLess(cpu_seconds() - before, 3 * seconds, args)
        return err

    def each(self, cases, write, commands, says):
        count = 0
        for name, content in cases:
            write(content)
            for fails, args in commands:
                with self.subTest(f"{args[0]}: {name}"):
                    self.ends_well(args, fails, says=says)
            count += 1
        self.assertGreater(count, 5)

    def test_gguf(self):
        file = self.tmp / "x.gguf"
        file.write_bytes(gguf())
        for args in (["show", file], ["run", file, "a", "--max-tokens", 2, "--context", 16], ["tokenize", file, "ab"],
                     ["logits", file, "--ids", "1,2", "--output", self.tmp / "l.npy"]):
            done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, preexec_fn=confined)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.each(gguf_cases(), file.write_bytes, [
            (True, ["logits", file, "--ids", "1,2", "--output", self.tmp / "l.npy"]), (False, ["show", file]),
            (True, ["convert", file, self.tmp / "out.gguf"])], "x.gguf")
        self.assertFalse((self.tmp / "out.gguf").exists())

    def test_text_of_gguf(self):
        file = self.tmp / "x.gguf"
        self.each(gguf_text_cases(), file.write_bytes, [
            (False, ["tokenize", file, "ab"]), (False, ["run", file, "a", "--max-tokens", 1, "--context", 16]),
            (False, ["render", file, "--messages", self.messages]), (False, ["show", file]),
            (False, ["convert", file, self.tmp / "out", "--to", "safetensors"])], "x.gguf")

    def test_split_gguf(self):
        parts = [self.tmp / f"m-0000{i}-of-00002.gguf" for i in (1, 2)]
        part = gguf({"split.count": scalar(U16, 2), "split.no": scalar(U16, 0), "split.tensors.count": scalar(I32, 11)})
        parts[0].write_bytes(part)
        self.ends_well(["show", parts[0]], says="part 2 of 2")
        parts[1].write_bytes(part)
        self.ends_well(["show", parts[0]], says="says it is part 1")
        parts[1].write_bytes(gguf({"split.count": scalar(U16, 2), "split.no": scalar(U16, 1)}, rows=lambda t: []))
        parts[0].rename(self.tmp / "kept")
        self.ends_well(["show", parts[1]], says="part 1 of 2")
        (self.tmp / "m-00001-of-99999.gguf").write_bytes(part)
        self.ends_well(["show", self.tmp / "m-00001-of-99999.gguf"], says="split in 2")

    def test_config(self):
        file = self.model / "config.json"
        self.each(config_cases(), lambda text: file.write_text(text, encoding="latin1"), [
            (False, ["logits", self.model, "--ids", "1,2", "--output", self.tmp / "l.npy"]),
            (False, ["logits", self.model, "--random", 1, "--ids", "1,2", "--output", self.tmp / "l.npy"]),
            (False, ["count", self.model])], "model")

    def test_config_refusals(self):
        """Of the same, what no reading could make sense of."""
        file = self.model / "config.json"
        # A list of equal numbers says the same for every layer.
        sensible = ("tie_word", "architectures", "model_type", "hidden_act 7", "attention_bias", "max_position", "quantization",
                    "layer_types", "rms_norm_eps -1")
        for name, text in config_cases():
            if name.startswith(sensible):
                continue
            file.write_text(text, encoding="latin1")
            with self.subTest(name):
                self.ends_well(["logits", self.model, "--ids", "1,2", "--output", self.tmp / "l.npy"])

    def test_safetensors(self):
        file = self.model / "model.safetensors"
        self.each(safetensors_cases(), file.write_bytes, [
            (True, ["logits", self.model, "--ids", "1,2", "--output", self.tmp / "l.npy"]),
            (True, ["convert", self.model, self.tmp / "out.gguf"])], "model")
        shutil.copy(MODEL / "model.safetensors", self.model / "model-1.safetensors")
        file.unlink()
        self.each(index_cases(), (self.model / "model.safetensors.index.json").write_text, [
            (True, ["logits", self.model, "--ids", "1,2", "--output", self.tmp / "l.npy"])], "model")

    def test_tokenizer(self):
        folder = self.tmp / "text"
        folder.mkdir()
        file = folder / "tokenizer.json"
        self.each(tokenizer_cases(), lambda value: file.write_text(json.dumps(value)), [
            (False, ["tokenize", folder, "Hello aaaa  b"]), (False, ["detokenize", folder, "--ids", "0,1"])], "text")
        self.each(((t[:20], t) for t in ("", "{", "[]", "3", "null", "{}", "[" * 100_000, '{"model": ' * 10_000)),
                  file.write_text, [(True, ["tokenize", folder, "Hello"])], "text")
        file.unlink()
        for name in ("tekken.json", "vocab.json", "tiktoken.model", "tokenizer.model"):
            for content in (b"", b"{", b"[]", b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"YQ== 99999999999\n", b"YQ== -1\n",
                            b'{"config": {"pattern": "("}, "vocab": []}', b'{"config": 3, "vocab": 4, "special_tokens": 5}'):
                (folder / name).write_bytes(content)
                with self.subTest(f"{name} {content[:20]}"):
                    self.ends_well(["tokenize", folder, "Hello"], says="text")
            (folder / name).unlink()

    def test_slow_expressions(self):
        folder = self.tmp / "text"
        folder.mkdir()
        text = self.write("a.txt", "a" * 100_000 + "!" + " " * 100_000)
        for pattern in SLOW_PATTERNS if LONG else SLOW_PATTERNS[::3]:
            (folder / "tokenizer.json").write_text(json.dumps({**TOKENIZER, "pre_tokenizer": split(pattern)}))
            with self.subTest(pattern):
                self.ends_well(["tokenize", folder, "--file", text], fails=False)

    def test_templates(self):
        for name, template in TEMPLATES.items():
            with self.subTest(name):
                file = self.write("t.jinja", template)
                self.ends_well(["render", self.model, "--messages", self.messages, "--template", file], says="t.jinja")

    def test_messages(self):
        for content in ("", "{", "{}", "3", "[3]", "[[]]", "[null]", '["x"]', "[" * 100_000, '[{"role": ' * 10_000,
                        '[{"role": "user", "content": "\xff"}]'):
            (self.tmp / "m.json").write_text(content, encoding="latin1")
            with self.subTest(content[:20]):
                self.ends_well(["render", self.model, "--messages", self.tmp / "m.json"], says="m")
        for content in ("", "{", "[", "\xff"):
            (self.tmp / "t.json").write_text(content, encoding="latin1")
            self.ends_well(["render", self.model, "--messages", self.messages, "--tools", self.tmp / "t.json"], says="t.json")

    def test_ids(self):
        output = self.tmp / "l.npy"
        for ids in ("-1", "80", "99999999999", "1e3", "1.5", "x", "1,,2", ",", "1;2", "99999999999999999999999", "0x10", "+1"):
            with self.subTest(ids):
                self.ends_well(["logits", self.model, f"--ids={ids}", "--output", output])
                if ids != "80":
                    self.ends_well(["detokenize", self.model, f"--ids={ids}"])
        for content in ("[]", "{}", "3", '["1"]', "[1.5]", "[-1]", "[1e2]", "[99999999999]", "[18446744073709551615]", "[null]",
                        "[[1]]", "", "[1", "[1e999]", "[" * 100_000):
            file = self.write("i.json", content)
            with self.subTest(content[:20]):
                self.ends_well(["logits", self.model, "--ids-file", file, "--output", output])
                self.ends_well(["detokenize", self.model, "--lines-json", file], fails=content not in ("[]", "[[1]]"))
                self.ends_well(["tokenize", self.model, "--lines-json", file], fails=content not in ("[]", '["1"]'))
        self.assertFalse(output.exists())

    def test_folders_and_pipes_for_files(self):
        """Texts may come through a pipe, weights may not."""
        folder, gone = self.tmp / "folder", self.tmp / "gone.json"
        folder.mkdir()
        commands = [
            ["show"], ["count"], ["tokenize", "--", "x"], ["render", self.model, "--messages"],
            ["render", self.model, "--messages", self.messages, "--template"], ["render", self.model, "--messages", self.messages, "--tools"],
            ["tokenize", self.model, "--file"], ["tokenize", self.model, "--lines-json"], ["detokenize", self.model, "--lines-json"],
            ["logits", self.model, "--output", self.tmp / "l.npy", "--ids-file"], ["run", self.model, "--prompt-file"],
            ["perplexity", self.model, "--file"], ["plan", "gpt2", "--machine"],
        ]
        for place in (folder, gone, "/dev/null"):
            for command in commands:
                args = [*command[:1], place, *command[2:]] if "--" in command else [*command, place]
                with self.subTest(f"{command} {place}"):
                    self.ends_well(args, fails=place != "/dev/null")
        for name in ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "tokenizer_config.json",
                     "generation_config.json", "special_tokens_map.json"):
            kept = (self.model / name).read_bytes() if (self.model / name).exists() else None
            for kind in ("folder", "empty", "loop", *(["pipe"] if name == "model.safetensors" else [])):
                if (self.model / name).exists():
                    (self.model / name).unlink()
                if kind == "folder":
                    (self.model / name).mkdir()
                elif kind == "pipe":
                    os.mkfifo(self.model / name)
                elif kind == "loop":
                    (self.model / name).symlink_to(name)
                else:
                    (self.model / name).write_bytes(b"")
                for args in (["run", self.model, "a", "--max-tokens", 1], ["tokenize", self.model, "a"], ["show", self.model],
                             ["render", self.model, "--messages", self.messages],
                             ["convert", self.model, self.tmp / "out", "--to", "safetensors"]):
                    with self.subTest(f"{args[0]} with {name} as {kind}"):
                        self.ends_well(args, fails=False)
                if kind == "folder":
                    (self.model / name).rmdir()
                else:
                    (self.model / name).unlink()
            if kept is not None:
                (self.model / name).write_bytes(kept)
