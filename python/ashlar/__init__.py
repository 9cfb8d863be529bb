"""Ashlar: open language models as blueprints, to count, plan, compare, draw, run and differentiate.

    import ashlar

    bp = ashlar.Blueprint.load("qwen3-0.6b")
    ashlar.count(bp, context=32768).parameters.total
    ashlar.draw(bp)                                   # shown in a notebook

    model = ashlar.Model.load("SmolLM2-135M-Instruct")
    engine = ashlar.Engine(model)
    for text in engine.generate("The sea is", max_tokens=40):
        print(text, end="")

Arrays of logits, gradients and parameters are NumPy views of the library's own numbers: nothing is copied, and they are
read-only (array.copy() is yours to change). docs/python.md of the sources is the manual.
"""

from __future__ import annotations

import html as _html
import json as _json

from . import _core
from ._core import (Error, FormatError, InvalidError, ReadError, ResourceError, UnsupportedError, claim_ids,
                    use_data_folder)

__version__ = _core.version
__all__ = ["Blueprint", "Drawing", "Engine", "Error", "FormatError", "InvalidError", "Model", "ReadError", "Reading",
           "ResourceError", "Stream", "UnsupportedError", "blueprint_names", "claim_ids", "compare", "count", "draw",
           "draw_graph", "explain", "machine_names", "plan", "report", "settle_claims", "use_data_folder"]


class Reading(dict):
    """What a reading found: the members of the command's JSON (docs/json.md), as keys and as attributes.

    str() of it is the text for people; a notebook shows that text, or the curves where there are some.
    """

    def __init__(self, members, text="", svg=""):
        super().__init__({k: _reading(v) for k, v in members.items()})
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "_svg", svg)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no member {name!r}; there are {', '.join(self)}") from None

    def __str__(self):
        return self._text or super().__str__()

    def _repr_html_(self):
        text = f"<pre>{_html.escape(str(self))}</pre>" if self._text else None
        return self._svg[self._svg.index("<svg"):] + text if self._svg and text else text


def _reading(value):
    if isinstance(value, dict):
        return Reading(value)
    if isinstance(value, list):
        return [_reading(v) for v in value]
    return value


class Drawing(str):
    """A diagram: SVG, Mermaid or plain text. A notebook shows SVG as a picture."""

    def _is_svg(self):
        return "<svg" in self[:200]

    def _repr_svg_(self):
        return str(self) if self._is_svg() else None

    def _repr_html_(self):
        return None if self._is_svg() else f"<pre>{_html.escape(self)}</pre>"

    def save(self, file):
        """Writes it to a file."""
        with open(file, "w", encoding="utf-8") as out:
            out.write(self)


class Blueprint:
    """An architecture as data. Immutable; any number of threads may use one at a time."""

    def __init__(self, core):
        self._core = core

    @classmethod
    def load(cls, source):
        """A released model's name, a blueprint file, a Hugging Face folder, a .gguf file, or org/name of the hub.

        Weights are not read. Raises Error.
        """
        return cls(_core.Blueprint.load(str(source)))

    @classmethod
    def from_json(cls, text):
        """A blueprint from its JSON, as text or as a dict. Raises FormatError or InvalidError."""
        return cls(_core.Blueprint.from_json(text if isinstance(text, str) else _json.dumps(text)))

    @property
    def name(self):
        """For example "qwen3-0.6b"; may be empty."""
        return self._core.name

    @property
    def family(self):
        """Whose checkpoints it reads and writes; may be empty."""
        return self._core.family

    @property
    def vocab(self):
        """Token ids are 0 to vocab - 1."""
        return self._core.vocab

    @property
    def width(self):
        """Numbers of the residual stream."""
        return self._core.width

    @property
    def layers(self):
        """Layers, without those for multi-token prediction."""
        return self._core.layers

    @property
    def context(self):
        """Longest sequence it was made for, in tokens; 0: unknown."""
        return self._core.context

    def json(self):
        """The blueprint as a dict; from_json() reads it back."""
        return _json.loads(self._core.json())

    def differences(self, other):
        """Where the structure is not the same: a list of (path, value here, value there)."""
        return self._core.differences(_blueprint(other)._core)

    def __eq__(self, other):
        return isinstance(other, Blueprint) and self._core == other._core

    __hash__ = None

    def __repr__(self):
        return f"<ashlar.Blueprint {self.name}: {self.layers} layers of width {self.width}>"

    def _repr_svg_(self):
        return draw(self)


class Model:
    """Blueprint, weights, tokenizer and chat template. Immutable; any number of threads may use one at a time."""

    def __init__(self, core):
        self._core = core

    @classmethod
    def load(cls, source, *, random=None, weights="", adapter=""):
        """A Hugging Face folder, a .gguf file, or org/name of the hub. Raises Error.

        With `random`, a seed, weights are random: then a blueprint's name or file will do as well, and `weights` is
        their format ("bf16", "q4_k_m"; float32 without). `adapter`: the folder of a LoRA adapter to add.
        """
        return cls(_core.Model.load(str(source), random=random, weights=weights, adapter=str(adapter)))

    @classmethod
    def load_text(cls, source):
        """Tokenizer and chat template alone: a folder that holds no more than those will do."""
        return cls(_core.Model.load_text(str(source)))

    @property
    def source(self):
        """As it was given to load()."""
        return self._core.source

    @property
    def blueprint(self):
        return Blueprint(self._core.blueprint)

    @property
    def has_weights(self):
        return self._core.has_weights

    @property
    def notices(self):
        """What loading has to tell: tensors left aside, and the like."""
        return self._core.notices

    @property
    def parameters(self):
        """Names of parameters: "layers.0.attn.q"."""
        return self._core.parameters

    def parameter(self, name):
        """A parameter as a float32 array, slowest axis first: a view of the file where it holds float32."""
        return self._core.parameter(name)

    @property
    def has_tokenizer(self):
        return self._core.has_tokenizer

    @property
    def tokens(self):
        """Of the tokenizer: its highest id + 1."""
        return self._core.tokens

    @property
    def end_tokens(self):
        """Ids that stop a generation."""
        return self._core.end_tokens

    @property
    def has_chat_template(self):
        return self._core.has_chat_template

    @property
    def sampling(self):
        """What the publisher recommends, by the names of generation_config.json."""
        return self._core.sampling

    def tokenize(self, text, *, add_special=True, parse_special=True):
        """The ids of a text. `add_special`: with beginning- and end-of-text tokens as the tokenizer has them;
        `parse_special`: special tokens written in the text count as such."""
        return self._core.tokenize(text, add_special=add_special, parse_special=parse_special)

    def detokenize(self, ids, *, skip_special=False):
        """The text of ids. Raises InvalidError for an id that there is not."""
        return self._core.detokenize(ids, skip_special=skip_special)

    def piece(self, id):
        """A token as the vocabulary spells it; empty: no such id."""
        return self._core.piece(id)

    def token(self, piece):
        """The id of a token, None for none."""
        return self._core.token(piece)

    def render(self, messages, **options):
        """The text that the chat template makes of messages, a list of {"role", "content"} or a user's message.

        Options: system (text), tools and documents (lists), variables (a dict for the template),
        add_generation_prompt (True), continued_field ("content": go on with the last message), chat_template (Jinja
        source instead of the model's own), now (seconds since 1970).
        """
        return self._core.render(_chat(messages, **options))

    def chat_ids(self, messages, **options):
        """The ids of render()'s text; control words inside of messages stay text."""
        return self._core.chat_ids(_chat(messages, **options))

    def gradients(self, ids, *, threads=0, recompute_layers=False):
        """(loss, {name: array}): the mean next-token cross-entropy of one sequence in nats, and its gradient for
        every tensor of the model's files. `recompute_layers`: less memory, a third more time."""
        return self._core.gradients(ids, threads=threads, recompute_layers=recompute_layers)

    def __repr__(self):
        return f"<ashlar.Model {self.source}>"


class Stream:
    """A generation: an iterator over the texts that become certain with each token (some may be empty).

    ids, text and stop tell what has been generated so far. Leaving early is allowed at any time; cancel(), or the end
    of the object, gives the sequence back to the engine.
    """

    def __init__(self, engine, core):
        self._engine, self._core = engine, core

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._core)

    def cancel(self):
        """Ends it; stop becomes "interrupted"."""
        self._core.cancel()

    @staticmethod
    def advance(streams):
        """One token for each of several streams of one engine, in one evaluation: a list of texts, None for those
        that have ended. A long prompt takes several calls (with empty texts)."""
        return _core.Stream.advance([s._core for s in streams])

    @property
    def ended(self):
        return self._core.ended

    @property
    def ids(self):
        return self._core.ids

    @property
    def text(self):
        return self._core.text

    @property
    def stop(self):
        """Why it ended: end_token, stop_text, max_tokens, context_full or interrupted; None: it has not."""
        return self._core.stop

    @property
    def prompt_tokens(self):
        return self._core.prompt_tokens

    @property
    def drafted_tokens(self):
        """Guesses so far."""
        return self._core.drafted_tokens

    @property
    def accepted_tokens(self):
        """Of them, those that the model chose too."""
        return self._core.accepted_tokens


class Engine:
    """A model on this CPU, ready to evaluate tokens. Calls of several threads wait for each other; other Python threads
    run meanwhile.

    context: longest sequence in tokens; sequences: how many streams at once; chunk: most tokens of one step;
    f32_activations: exact products; deterministic: a token's logits do not depend on what is evaluated with it;
    packed_weights: matrices also in the kernels' panels, so that steps of a few dozen tokens are faster, for the memory
    of a second copy; mtp: also the model's layer for multi-token prediction, for `draft="mtp"`; state: f32, f16, bf16 or
    q8_0 keys, values; kernels: instruction set.
    """

    def __init__(self, model, *, threads=0, kernels="", context=4096, sequences=1, chunk=512, f32_activations=False,
                 deterministic=False, packed_weights=False, mtp=False, pinned=True, state=""):
        self._model = model
        self._core = _core.Engine(model._core, threads=threads, kernels=kernels, context=context, sequences=sequences,
                                  chunk=chunk, f32_activations=f32_activations, deterministic=deterministic,
                                  packed_weights=packed_weights, mtp=mtp, pinned=pinned, state=state)

    def logits(self, ids, *, last=False):
        """float32 [tokens, vocab] of a sequence of its own, or with `last` [1, vocab]. A view of the engine's own
        buffer, which it gives away: what it does later does not change the array."""
        return self._core.logits(ids, last=last)

    def generate(self, prompt, *, max_tokens=256, stop=(), ignore_end=False, temperature=0.0, top_k=0, top_p=1.0,
                 min_p=0.0, repetition_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0, logit_bias=None,
                 seed=0, draft=None, draft_tokens=3):
        """A Stream that goes on from a prompt: text, a list of ids, or a list of messages for the chat template.
        Greedy unless `temperature` says otherwise. `draft` guesses up to `draft_tokens` tokens ahead, which are then
        evaluated in one step, and changes no token: "lookup" (what followed the last tokens before), "mtp" (the
        model's own layer, of an engine with `mtp`), or a Model of the same vocabulary, the smaller the better. Raises
        InvalidError, ResourceError, and UnsupportedError for a draft model that cannot go back to an earlier token."""
        if isinstance(prompt, str):
            ids = self._model.tokenize(prompt)
        else:
            prompt = list(prompt)
            ids = self._model.chat_ids(prompt) if prompt and isinstance(prompt[0], dict) else prompt
        if isinstance(stop, str):
            stop = [stop]
        drafts = isinstance(draft, Model)
        return Stream(self, _core.Stream(self._core, ids, max_tokens=max_tokens, stop=list(stop), ignore_end=ignore_end,
                                         temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
                                         repetition_penalty=repetition_penalty, presence_penalty=presence_penalty,
                                         frequency_penalty=frequency_penalty, logit_bias=logit_bias or {}, seed=seed,
                                         draft="" if drafts or draft is None else draft,
                                         draft_model=draft._core if drafts else None, draft_tokens=draft_tokens))

    @property
    def model(self):
        return self._model

    @property
    def vocab(self):
        """Numbers in a row of logits."""
        return self._core.vocab

    @property
    def context(self):
        return self._core.context

    @property
    def threads(self):
        return self._core.threads

    @property
    def kernels(self):
        """Name of the instruction set in use."""
        return self._core.kernels

    @property
    def state_bytes(self):
        """Allocated for keys and values."""
        return self._core.state_bytes

    @property
    def activation_bytes(self):
        """Allocated for everything else that a step writes."""
        return self._core.activation_bytes


def _chat(messages, *, system="", tools=None, documents=None, variables=None, add_generation_prompt=True,
          continued_field=None, chat_template="", now=None):
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    dump = lambda value: "" if value is None else _json.dumps(value, ensure_ascii=False)  # noqa: E731
    pairs = [f"{k}={_json.dumps(v, ensure_ascii=False)}" for k, v in (variables or {}).items()]
    return _core.Chat(dump(messages), system=system, tools=dump(tools), documents=dump(documents), variables=pairs,
                      add_generation_prompt=add_generation_prompt, continued_field=continued_field,
                      chat_template=chat_template, now=now)


def _blueprint(of):
    """The blueprint of what readings take: a Blueprint, a Model, or what Blueprint.load takes."""
    if isinstance(of, Blueprint):
        return of
    return of.blueprint if isinstance(of, Model) else Blueprint.load(of)


def _core_of(of):
    """The same, but models with weights are counted in the formats of those."""
    return of._core if isinstance(of, Model) and of.has_weights else _blueprint(of)._core


def blueprint_names():
    """Names of the released models that Blueprint.load knows."""
    return _core.blueprint_names()


def machine_names():
    """Names of the machines that plan() and compare() know."""
    return _core.machine_names()


def count(model, *, tokens=512, context=4096, sequences=1, mtp=False, weights="bf16", state="f16"):
    """Parameters, operations, bytes of weights, state and activations (`ashlar count`). Takes a Blueprint, a Model
    (whose own formats count) or a name. mtp: a step of training has the layer for multi-token prediction too."""
    text, people = _core.count(_core_of(model), tokens=tokens, context=context, sequences=sequences, mtp=mtp,
                               weights=weights, state=state)
    return Reading(_json.loads(text), people)


def plan(model, machine="", *, context=4096, sequences=1, depth=0, prompt=512, generate=128, weights="native",
         devices=0, state="f16", packed_weights=False):
    """Whether a model fits a machine, how fast it is there, what bounds it (`ashlar plan`). `machine` is a name, a
    file, or empty for this one; `devices` 0: as many as it takes."""
    text, people = _core.plan(_core_of(model), machine=str(machine), context=context, sequences=sequences, depth=depth,
                              prompt=prompt, generate=generate, weights=weights, devices=devices, state=state,
                              packed_weights=packed_weights)
    return Reading(_json.loads(text), people)


def compare(*models, context=4096, weights="bf16", state="f16", machine="h100-sxm"):
    """How architectures differ, in words, in numbers and over context and batch (`ashlar compare`). machine="": no
    speeds."""
    text, people, svg = _core.compare([_blueprint(m)._core for m in models], context=context, weights=weights,
                                      state=state, machine=str(machine))
    return Reading(_json.loads(text), people, svg)


def explain(model, scope="", *, context=4096, weights="bf16", state="f16"):
    """Each part of a model with its formula and this model's numbers in it (`ashlar explain`)."""
    text, people = _core.explain(_blueprint(model)._core, scope, context=context, weights=weights, state=state)
    return Reading(_json.loads(text), people)


def draw(*models, format="svg", tall=False, columns=100):
    """One architecture or several side by side, as a Drawing: svg, mermaid or text (`ashlar draw`)."""
    return Drawing(_core.draw([_blueprint(m)._core for m in models], format=format, tall=tall, columns=columns))


def draw_graph(model, *, training=False, recompute=False, mtp=False, format="svg"):
    """The nodes of a model's graph, or of a step of training it; mtp: with its layer for multi-token prediction."""
    return Drawing(_core.draw_graph(_blueprint(model)._core, training=training, recompute=recompute, mtp=mtp,
                                    format=format))


def report(*models):
    """A page of HTML about models: table, diagrams, plots (`ashlar report`)."""
    return _core.report([_blueprint(m)._core for m in models])


def settle_claims(*ids):
    """What the literature says, settled by computation (`ashlar claims`): Readings, all claims for no ids."""
    claims = _core.settle_claims(list(ids))
    for claim in claims:
        claim["found"] = {name: _json.loads(value) for name, value in claim["found"].items()}
    return [Reading(claim) for claim in claims]
