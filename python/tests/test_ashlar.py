"""The package against the golden data that the C++ tests use."""

import gc
import json
import pathlib
import struct
import threading

import numpy as np
import pytest

import ashlar

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/models/llama_tied_wide_heads"


def safetensors(file):
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    out = {}
    for name, t in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            out[name] = np.frombuffer(data[8 + length + begin:8 + length + end], np.float32).reshape(t["shape"])
    return out


CASE = json.loads((GOLDEN / "case.json").read_text())
EXPECTED = safetensors(GOLDEN / "expected.safetensors")
IDS = CASE["ids"]


@pytest.fixture(scope="module")
def model():
    return ashlar.Model.load(GOLDEN / "model")


def exact(model, **options):
    return ashlar.Engine(model, f32_activations=True, **{"context": 64, **options})


def worst(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def test_logits_are_the_references(model):
    engine = exact(model)
    logits = engine.logits(IDS)
    assert logits.shape == (len(IDS), 80) and logits.dtype == np.float32
    assert worst(logits, EXPECTED["logits"]) < 1e-4
    last = engine.logits(IDS[:5], last=True)
    assert last.shape == (1, 80)
    assert worst(last[0], EXPECTED["logits"][4]) < 1e-4


def test_arrays_are_views_that_outlive_what_made_them(model):
    engine = exact(model)
    first = engine.logits(IDS)
    kept = first.copy()
    second = engine.logits(IDS[::-1])
    assert not first.flags.owndata and first.base is not None and not first.flags.writeable
    assert not np.shares_memory(first, second)
    del engine
    gc.collect()
    assert np.array_equal(first, kept)
    # float32 of a file is the mapped file: two views of it are the same memory.
    a, b = model.parameter("embedding"), model.parameter("embedding")
    assert np.shares_memory(a, b)
    assert np.array_equal(a, safetensors(GOLDEN / "model/model.safetensors")["model.embed_tokens.weight"])


def test_gradients_are_the_references(model):
    loss, gradients = model.gradients(IDS)
    assert abs(loss - CASE["loss"]) < 1e-4
    compared = 0
    for name, gradient in gradients.items():
        if "grad." + name in EXPECTED:
            compared += 1
            assert gradient.shape == EXPECTED["grad." + name].shape
            assert not gradient.flags.owndata
            assert worst(gradient, EXPECTED["grad." + name]) < 1e-3, name
    assert compared > 10


def greedy(model, ids, count):
    engine, ids, begin = exact(model), list(ids), len(ids)
    for _ in range(count):
        ids.append(int(engine.logits(ids, last=True).argmax()))
    return ids[begin:]


def test_generation_is_an_iterator(model):
    engine = exact(model)
    stream = engine.generate(IDS[:9], max_tokens=6, ignore_end=True)
    assert iter(stream) is stream and stream.stop is None
    assert len(list(stream)) == 6
    assert stream.ids == greedy(model, IDS[:9], 6)
    assert stream.stop == "max_tokens" and stream.ended and stream.prompt_tokens == 9
    with pytest.raises(StopIteration):
        next(stream)


def test_several_streams_share_steps(model):
    engine = exact(model, sequences=2)
    streams = [engine.generate(IDS[:9], max_tokens=6, ignore_end=True),
               engine.generate(IDS[4:6], max_tokens=3, ignore_end=True)]
    with pytest.raises(ashlar.ResourceError, match="`sequences`"):
        engine.generate(IDS[:2])
    while not all(s.ended for s in streams):
        ashlar.Stream.advance(streams)
    assert streams[0].ids == greedy(model, IDS[:9], 6)
    assert streams[1].ids == greedy(model, IDS[4:6], 3)
    early = engine.generate(IDS[:3])
    next(early)
    early.cancel()
    assert early.stop == "interrupted" and len(early.ids) == 1


def test_sampling_repeats_by_its_seed(model):
    engine = exact(model)

    def drawn(seed):
        stream = engine.generate(IDS[:4], max_tokens=12, temperature=1.5, seed=seed, ignore_end=True)
        assert len(list(stream)) == 12
        return stream.ids

    assert drawn(1) == drawn(1) != drawn(2)
    with pytest.raises(ashlar.InvalidError):
        engine.generate(IDS[:4], temperature=-1.0)


def test_drafting_changes_no_token(model):
    own = ashlar.Model.load(ROOT / "tests/golden/models/deepseek_v3_mtp/model")
    for drafting, of, options in (("lookup", model, {}), (model, model, {}), ("mtp", own, {"mtp": True})):
        for temperature in (0.0, 1.0):
            def generated(engine, **more):
                stream = engine.generate(IDS[:9], max_tokens=24, ignore_end=True, temperature=temperature, seed=3, **more)
                assert len("".join(stream)) == len(stream.text)
                return stream

            plain = generated(ashlar.Engine(of, context=64))
            assert (plain.drafted_tokens, plain.accepted_tokens) == (0, 0)
            stream = generated(ashlar.Engine(of, context=64, **options), draft=drafting, draft_tokens=4)
            assert stream.ids == plain.ids
            assert 0 <= stream.accepted_tokens <= stream.drafted_tokens
            if drafting != "lookup":
                assert stream.drafted_tokens > 0
            if drafting is model and temperature == 0:
                assert stream.accepted_tokens > 10  # the model drafts for itself
    engine = ashlar.Engine(model, context=64)
    with pytest.raises(ashlar.InvalidError, match="`mtp`"):
        engine.generate(IDS[:3], draft="mtp")
    with pytest.raises(ashlar.InvalidError, match="expected lookup, mtp, off or a Model"):
        engine.generate(IDS[:3], draft="other")
    with pytest.raises(ashlar.InvalidError, match="`draft_tokens`"):
        engine.generate(IDS[:3], draft="lookup", draft_tokens=0)
    with pytest.raises(ashlar.UnsupportedError, match="no layer for multi-token prediction"):
        ashlar.Engine(model, mtp=True)


def test_deterministic_logits_do_not_depend_on_the_steps(model):
    engines = [ashlar.Engine(model, context=64, chunk=chunk, deterministic=True) for chunk in (1, 7, 64)]
    first, *others = [engine.logits(IDS) for engine in engines]
    for other in others:
        assert np.array_equal(first, other)


def test_threads_of_python_share_an_engine(model):
    engine, found = exact(model), [None] * 4

    def work(i):
        found[i] = engine.logits(IDS)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for logits in found:
        assert worst(logits, EXPECTED["logits"]) < 1e-4


def test_text(tmp_path):
    golden = json.loads((ROOT / "tests/text/tokenizers/llama3.json").read_text())
    corpus = json.loads((ROOT / "tests/text/tokenizers/corpus.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(golden["tokenizer"]))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(
        {"chat_template": "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{{ x }}{{ tools | length }}"}))
    model = ashlar.Model.load_text(tmp_path)
    compared = 0
    for text, (ids, bare, decoded, plain) in zip(corpus, golden["golden"]):
        if isinstance(text, str):
            compared += 1
            assert model.tokenize(text) == ids
            assert model.tokenize(text, add_special=False) == bare
            assert model.detokenize(ids) == decoded
            assert model.detokenize(ids, skip_special=True) == plain
    assert compared > 20
    assert model.render("hi", variables={"x": 3}, tools=[]) == "[user]hi30"
    assert model.render([{"role": "user", "content": "Grüße"}], system="Be brief.",
                        tools=[{}]) == "[system]Be brief.[user]Grüße1"
    assert model.chat_ids("hi", tools=[]) == model.tokenize("[user]hi0", add_special=False)
    with pytest.raises(ashlar.Error):
        model.blueprint
    with pytest.raises(ashlar.InvalidError, match="no such token"):
        model.detokenize([1 << 20])


def test_readings():
    bp = ashlar.Blueprint.load("qwen3-0.6b")
    count = ashlar.count(bp)
    assert count.parameters.total == 596049920 == count["parameters"]["total"]
    assert "parameters" in str(count) and "<pre>" in count._repr_html_()
    with pytest.raises(AttributeError, match="no member"):
        count.nothing
    plan = ashlar.plan("kimi-k2", "h100-sxm", context=8192)
    assert plan.devices > 1
    both = ashlar.compare(bp, "olmo-2-7b")
    assert both.models == ["qwen3-0.6b", "olmo-2-7b"] and "<svg" in both._repr_html_()
    explained = ashlar.explain(bp, "layers.0.attn")
    assert explained.parts
    assert ashlar.settle_claims("kimi-k2-active")[0].verdict == "holds"
    assert "h100-sxm" in ashlar.machine_names() and "qwen3-0.6b" in ashlar.blueprint_names()


def test_drawings_show_in_a_notebook(tmp_path):
    bp = ashlar.Blueprint.load("qwen3-0.6b")
    picture = ashlar.draw(bp)
    assert "<svg" in picture._repr_svg_() and picture._repr_html_() is None
    assert bp._repr_svg_() == picture
    text = ashlar.draw(bp, "olmo-2-7b", format="text")
    assert text._repr_svg_() is None and "olmo-2-7b" in text
    assert ashlar.draw(bp, format="mermaid") != text
    assert ashlar.draw_graph(bp, training=True) != ashlar.draw_graph(bp)
    assert ashlar.draw_graph("glm-4.5", training=True, mtp=True) != ashlar.draw_graph("glm-4.5", training=True)
    with pytest.raises(ashlar.InvalidError):
        ashlar.draw_graph(bp, mtp=True)  # it has no such layer
    picture.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == picture
    assert "<html" in ashlar.report(bp, "olmo-2-7b")
    with pytest.raises(ashlar.InvalidError, match="`format`"):
        ashlar.draw(bp, format="png")


def test_blueprints():
    a = ashlar.Blueprint.load("qwen3-0.6b")
    assert ashlar.Blueprint.from_json(a.json()) == a
    assert a.layers == 28 and a.width == 1024 and a.family == "qwen3"
    assert not a.differences(a) and a.differences("qwen3-8b")
    with pytest.raises(ashlar.ReadError, match="qwen3-0.6b") as caught:
        ashlar.Blueprint.load("qwen3-0.6")
    assert isinstance(caught.value, OSError) and isinstance(caught.value, ashlar.Error)


def test_random_weights_count_in_their_formats(model):
    random = ashlar.Model.load(GOLDEN / "model", random=1, weights="q8_0")
    assert "q8_0" in ashlar.count(random).weights.by_format
    assert "f32" in ashlar.count(model).weights.by_format


def test_stubs_name_what_there_is():
    """Every public name and method of the package has its types, and nothing else has."""
    import ast
    tree = ast.parse((pathlib.Path(ashlar.__file__).parent / "__init__.pyi").read_text())
    stubs = {n.name: n for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
    assert set(stubs) == set(ashlar.__all__)
    for name, node in stubs.items():
        assert getattr(ashlar, name).__doc__ or issubclass(getattr(ashlar, name), Exception), name
        if isinstance(node, ast.ClassDef) and not issubclass(getattr(ashlar, name), (Exception, dict)):
            typed = {f.name for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")}
            there = {n for n in vars(getattr(ashlar, name)) if not n.startswith("_")}
            assert typed == there, name
