# Conversations, tools and variables for every chat template to be rendered with.
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "tests/text/templates"

# bos_token and eos_token of the models that the templates come from.
LLAMA = ("<|begin_of_text|>", "<|eot_id|>")
MISTRAL = ("<s>", "</s>")
QWEN = (None, "<|im_end|>")
DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>")
KIMI = ("[BOS]", "<|im_end|>")
TOKENS = {
    "llama-3": ("<|begin_of_text|>", "<|end_of_text|>"), "llama-3.1": LLAMA, "llama-3.2": LLAMA,
    "llama-4": ("<|begin_of_text|>", "<|eot|>"), "mistral-small-3.2": MISTRAL, "mistral-nemo": MISTRAL,
    "devstral-small": MISTRAL, "ministral-3": MISTRAL, "gemma-3": ("<bos>", "<end_of_turn>"),
    "qwen3": QWEN, "qwen3-coder": QWEN, "smollm2": ("<|im_start|>", "<|im_end|>"), "smollm3": QWEN,
    "deepseek-v3": DEEPSEEK, "deepseek-v3.1": DEEPSEEK, "deepseek-r1": DEEPSEEK,
    "deepseek-r1-tools": DEEPSEEK, "kimi-k2": KIMI, "kimi-k2-instruct": KIMI, "kimi-k2-thinking": KIMI,
    "gpt-oss": ("<|startoftext|>", "<|return|>"), "glm-4.6": (None, "<|endoftext|>"),
}


def say(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, id=None, **more):
    out = {"type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return {"id": id, **out} if id else out


def asks(*calls, content="", **more):
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **more}


def parts(*items):
    return [{"type": "text", "text": i} if isinstance(i, str) else i for i in items]


SYSTEM = say("system", "You are terse.\nAnswer in one line.")
HI = say("user", "Hi there!")
HELLO = say("assistant", "Hello. How can I help?")
WEATHER = say("user", "Weather in Oslo and Kraków?")
IMAGE = {"type": "image"}
OSLO = call("get_weather", {"city": "Oslo", "days": 3, "units": None, "exact": True}, "call00001")
KRAKOW = call("get_weather", {"city": "Kraków", "nested": {"a": [1, 2.5, "x"], "b": {}}}, "call00002")
RESULT = say("tool", '{"temperature": -3.5, "sky": "<clear> & \'cold\'"}', name="get_weather",
             tool_call_id="call00001")
RESULT2 = say("tool", "rain", name="get_weather", tool_call_id="call00002")

CONVERSATIONS = {
    "one": [HI],
    "system": [SYSTEM, HI],
    "turns": [HI, HELLO, say("user", "Count to 3."), say("assistant", "1, 2, 3"), say("user", "Again.")],
    "system_turns": [SYSTEM, HI, HELLO, say("user", "Bye.")],
    "answered": [SYSTEM, HI, HELLO],
    "space": [say("system", "  padded \n"), say("user", "\n\n  text\t "), say("assistant", " answer \n"),
              say("user", " ")],
    "unicode": [say("system", "Språk: 日本語, العربية, हिन्दी"), say("user", "👩‍👩‍👧‍👦 ñ e\u0301 \u200b\ufeff \U0001f600"),
                say("assistant", "ǅ ß İ ﬁ \u2028 \x85"), say("user", "Ω≈ç√ \x00\x01\x7f")],
    "look_alikes": [say("user", "<|im_end|>\n<|im_start|>system\nX<|eot_id|>[/INST]</s><end_of_turn>{{ 1 }} {% x %}"),
                    say("assistant", "<think>\nhidden\n</think>\n\nshown"), say("user", "</think> <tool_call>")],
    "quotes": [say("user", "\"double\" 'single' \\back\\ /slash/ <b>&amp;</b> %s {0} \t\r\n")],
    "parts": [say("user", parts("Look: ", IMAGE, " and that"))],
    "parts_system": [say("system", parts("Be kind.")), say("user", parts("a", "b")), say("assistant", parts("c")),
                     say("user", parts(IMAGE))],
    "image_url": [say("user", parts({"type": "image_url", "image_url": {"url": "http://x/y.png"}}, "what?"))],
    "empty": [],
    "empty_content": [say("system", ""), say("user", ""), say("assistant", ""), say("user", "x")],
    "null_content": [say("user", None), say("assistant", None), HI],
    "no_content": [HI, {"role": "assistant"}, HI],
    "no_role": [{"content": "who?"}],
    "number": [say("user", 42), say("assistant", 3.5), say("user", True)],
    "dict_content": [say("user", {"text": "in a dict", "n": [1, None]})],
    "empty_parts": [say("user", [])],
    "two_users": [HI, say("user", "Still there?")],
    "two_assistants": [HI, HELLO, say("assistant", "More.")],
    "assistant_first": [HELLO, HI],
    "late_system": [HI, HELLO, SYSTEM, say("user", "Ok?")],
    "two_systems": [SYSTEM, say("system", "And kind."), HI],
    "only_system": [SYSTEM],
    "only_assistant": [HELLO],
    "developer": [say("developer", "Use metric units."), HI],
    "system_developer": [SYSTEM, say("developer", "Use metric units."), HI],
    "odd_role": [HI, say("narrator", "A pause."), HI],
    "upper_role": [say("User", "x"), say("ASSISTANT", "y")],
    "call": [WEATHER, asks(OSLO)],
    "call_content": [SYSTEM, WEATHER, asks(OSLO, content="Let me look.")],
    "call_null": [WEATHER, asks(OSLO, content=None), RESULT],
    "call_no_content": [WEATHER, {"role": "assistant", "tool_calls": [OSLO]}, RESULT, HI],
    "calls": [SYSTEM, WEATHER, asks(OSLO, KRAKOW), RESULT, RESULT2],
    "calls_answered": [SYSTEM, WEATHER, asks(OSLO, KRAKOW), RESULT, RESULT2, say("assistant", "Cold; rain."),
                       say("user", "Thanks.")],
    "calls_in_turn": [WEATHER, asks(OSLO), RESULT, asks(KRAKOW), RESULT2, say("assistant", "Done."), HI],
    "call_string": [WEATHER, asks(call("f", '{"x": 1, "y": "é\\n"}', "abcdefghi")), say("tool", "ok"), HI],
    "call_short_id": [WEATHER, asks(call("f", {}, "1")), say("tool", "ok", tool_call_id="1"), HI],
    "call_no_id": [WEATHER, asks(call("f", {"q": "a\"b"})), say("tool", "ok", name="f"), HI],
    "call_bare": [WEATHER, {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"x": 1}}]}, HI],
    "call_empty": [WEATHER, {"role": "assistant", "content": "none", "tool_calls": []}, HI],
    "tool_dict": [WEATHER, asks(OSLO), say("tool", {"temperature": -3.5}), HI],
    "tool_parts": [WEATHER, asks(OSLO), say("tool", parts("a", "b"), name="get_weather"), HI],
    "tool_first": [RESULT, HI],
    "ipython": [WEATHER, asks(OSLO), say("ipython", {"output": [1, 2]}), HI],
    "function_role": [WEATHER, asks(OSLO), say("function", "ok", name="get_weather"), HI],
    "reasoning": [HI, say("assistant", "Hello.", reasoning_content="They greet.\nI greet.")],
    "reasoning_turns": [HI, say("assistant", "Hello.", reasoning_content="They greet."), say("user", "2+2?"),
                        say("assistant", "4", thinking="easy"), say("user", "3+3?")],
    "reasoning_call": [WEATHER, asks(OSLO, reasoning="need data", content=""), RESULT,
                       say("assistant", "Cold.", reasoning_content="It says -3.5")],
    "reasoning_all": [HI, say("assistant", "x", thinking="t", reasoning="r", reasoning_content=None), HI],
    "think_tags": [HI, say("assistant", "<think>\nplan\n</think>\n\nHello."), say("user", "more"),
                   say("assistant", "<think>open"), say("user", "x"), say("assistant", "half</think>rest")],
    "prefix": [HI, say("assistant", "Sure, ", prefix=True)],
    "extra": [say("user", "x", name="ada", weight=1.0, id=7), say("assistant", "y", refusal=None)],
    "long": [SYSTEM] + [say("user" if i % 2 == 0 else "assistant", f"line {i}") for i in range(13)],
}

TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a place.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Name, e.g. \"Kraków\""},
        "days": {"type": "integer", "description": "how many", "default": 1},
        "units": {"type": ["string", "null"], "enum": ["metric", "imperial"]}},
        "required": ["city"]}}}
RICH = {"type": "function", "function": {
    "name": "plan", "description": "Plans a trip <fast> & safe.\nTwo lines.",
    "parameters": {"type": "object", "$defs": {"P": {"type": "number"}}, "properties": {
        "stops": {"type": "array", "items": {"type": "object", "properties": {"at": {"type": "string"}}},
                  "minItems": 1},
        "limit": {"type": "number", "maximum": 1e22, "minimum": -0.0, "default": 0.1, "nullable": True},
        "fast": {"type": "boolean", "default": False},
        "mode": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "how"},
        "choice": {"oneOf": [{"type": "integer"}, {"type": "string", "default": "x"}]},
        "any": {}, "object": {"type": "object"}, "typed": {"type": "object", "additionalProperties": True}},
        "required": ["stops", "mode"]},
    "return": {"type": "string", "description": "a plan"}}}
PLAIN = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {
    "type": "object", "properties": {}}}}
TOOLS = {
    "none": None,
    "one": [TOOL],
    "two": [TOOL, RICH],
    "plain": [PLAIN],
    "empty": [],
    "bare": [{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {
        "x": {"type": "string", "description": "é"}}}}],
    "builtin": [{"type": "builtin_function", "function": {"name": "browser"}}, PLAIN],
    "no_parameters": [{"type": "function", "function": {"name": "go", "description": ""}}],
}

DOCUMENTS = [{"title": "Norway", "text": "Fjords."}, {"title": "Poland", "text": "Rivers & plains"}]
VARIABLES = {
    "plain": {},
    "thinking": {"enable_thinking": True, "thinking": True, "reasoning_effort": "high"},
    "no_thinking": {"enable_thinking": False, "thinking": False, "reasoning_effort": "low"},
    "llama": {"date_string": "01 Jan 2025", "tools_in_user_message": False,
              "builtin_tools": ["brave_search", "code_interpreter"]},
    "identity": {"model_identity": "You are Ada.", "builtin_tools": ["browser", "python"],
                 "custom_instructions": "Be brief.", "xml_tools": None, "python_tools": ["f"]},
    "documents": {"documents": DOCUMENTS, "today": "x", "strict": True, "add_vision_id": True},
}


def real_cases(everything):
    """Tuples (template, conversation, tools, variables, add_generation_prompt) by name."""
    for template in TOKENS:
        for name in CONVERSATIONS:
            yield template, name, "none", "plain", True
            yield template, name, "one", "plain", name != "answered"
            if everything:
                for tools in TOOLS:
                    for variables in VARIABLES:
                        yield template, name, tools, variables, False
                        yield template, name, tools, variables, True
        for tools in TOOLS:
            for name in ("system", "calls_answered", "reasoning_call"):
                yield template, name, tools, "plain", True
        for variables in VARIABLES:
            for name in ("system_turns", "reasoning_turns", "calls", "think_tags"):
                yield template, name, "one", variables, True
                yield template, name, "none", variables, False


def variables_of(template, variables):
    bos, eos = TOKENS[template]
    out = {**({"bos_token": bos} if bos else {}), "eos_token": eos, **VARIABLES[variables]}
    documents = out.pop("documents", None)
    return out, documents


TEXTS = ["Hi", "", " ", "  two\n\nlines \t", "None", "é日本👩‍👧", "<|im_end|>", "{{ x }} {% y %}", "\\n \"q\" 'p'", "[INST] </s>",
         "<think>\nwell\n</think>\n\nso", "</think>", "a" * 300, "0", "<tool_call>", "\u200b", "line\r\nend", "{\"a\": 1}"]


def random_value(rng, depth=2):
    """Anything that JSON holds."""
    pick = rng.randrange(9 if depth else 6)
    if pick < 6:
        return [None, True, rng.choice([0, -7, 2**62, 2**70]), rng.choice([0.5, -0.0, 1e22, 1e-7]), rng.choice(TEXTS),
                rng.choice(TEXTS)][pick]
    if pick == 6:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(3))]
    return {rng.choice(["a", "type", "é", "text", "items", "name"]): random_value(rng, depth - 1)
            for _ in range(rng.randrange(3))}


def random_message(rng):
    role = rng.choice(["system", "user", "user", "assistant", "assistant", "tool", "developer", "ipython", "odd role"])
    content = rng.choice([rng.choice(TEXTS)] * 6 + [None, parts(*[rng.choice(TEXTS) for _ in range(rng.randrange(1, 3))]),
                                                    parts(rng.choice(TEXTS), IMAGE), [], random_value(rng)])
    out = {"role": role, "content": content}
    if rng.random() < 0.1:
        del out["content"]
    for key, chance in (("name", 0.2), ("tool_call_id", 0.2), ("reasoning_content", 0.15), ("thinking", 0.1),
                        ("reasoning", 0.05), ("tool_calls", 0.05), ("prefix", 0.02), ("weight", 0.02)):
        if rng.random() < chance:
            out[key] = rng.choice([None, rng.choice(TEXTS), rng.choice(TEXTS), random_value(rng)])
    if role == "assistant" and rng.random() < 0.4:
        out["tool_calls"] = rng.choice([None, [], *[[
            call(rng.choice(["f", "get_weather"]), rng.choice([{"x": random_value(rng)}, "{}", None, {}]),
                 rng.choice(["call00001", "123456789", None])) for _ in range(rng.randrange(1, 3))]] * 4])
    items = list(out.items())
    if rng.random() < 0.3:
        rng.shuffle(items)
    return dict(items)


def random_chat(rng):
    template = rng.choice(list(TOKENS))
    if rng.random() < 0.3:
        messages = [dict(m) for m in CONVERSATIONS[rng.choice(list(CONVERSATIONS))]]
        if messages and rng.random() < 0.7:
            messages[rng.randrange(len(messages))] = random_message(rng)
    else:
        messages = [random_message(rng) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4, 5]))]
    bos, eos = TOKENS[template]
    variables = {**({"bos_token": bos} if bos else {}), "eos_token": eos, **VARIABLES[rng.choice(list(VARIABLES))]}
    documents = variables.pop("documents", None)
    for name in ("enable_thinking", "add_vision_id", "strict", "date_string", "keep_past_thinking"):
        if rng.random() < 0.1:
            variables[name] = random_value(rng)
    case = {"template": (TEMPLATES / f"{template}.jinja").read_text(), "messages": messages, "documents": documents,
            "tools": rng.choice([None, None, *TOOLS.values()]), "variables": variables,
            "add_generation_prompt": rng.random() < 0.5}
    if rng.random() < 0.3:
        case["continued_field"] = rng.choice(["content"] * 4 + ["reasoning_content", "thinking", "name"])
    return f"{template} {messages!r:.700}", case
