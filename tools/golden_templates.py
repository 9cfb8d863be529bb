#!/usr/bin/env python3
# Renders chat templates with Transformers' own function, for tests and comparisons.
"""
    python tools/golden_templates.py                   the golden file, tests/text/templates/golden.json
    python tools/golden_templates.py --check TOOL      every template with every conversation against TOOL
                                                       (bench_tokenizer_chat); prints the differences
    python tools/golden_templates.py --random N TOOL [--seed S]   N random small templates likewise
    python tools/golden_templates.py --chats N TOOL [--seed S]    N random chats, each with a published template
    python tools/golden_templates.py --ids N TOOL FOLDER...       the ids of N messages that hold added tokens, with
                                                                  sanitize_control_tokens, for each tokenizer's folder

Needs: transformers==5.24.0, jinja2==3.1.6.
"""
import argparse
import collections
import datetime
import json
import pathlib
import random
import subprocess
import sys
import warnings

import jinja2
import transformers
from transformers.utils import chat_template_utils

import template_conversations as conversations
import template_features as features

# What strftime_now tells: noon, so that the day is the same in every zone nearby.
NOW = datetime.datetime(2025, 7, 4, 12, 0, 0, tzinfo=datetime.timezone.utc)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW.replace(tzinfo=None)


chat_template_utils.datetime = Clock


class Raised(jinja2.TemplateError):
    pass


def reference(case):
    """{"text"} or {"error", "raised"}: raised where the template itself refuses."""
    field = case.get("continued_field")
    try:
        # What apply_chat_template does before and with it.
        messages = chat_template_utils._normalize_chat_messages(case["messages"])
        if not messages:
            raise ValueError("Cannot apply chat template to an empty conversation.")
        rendered, _ = chat_template_utils.render_jinja_template(
            [messages], tools=case.get("tools"), documents=case.get("documents"),
            chat_template=case["template"], continue_final_message=field or False,
            add_generation_prompt=not field and case.get("add_generation_prompt", True),
            **case.get("variables", {}))
        return {"text": rendered[0]}
    except Exception as error:  # whatever a template makes Python raise
        raised = type(error) is jinja2.TemplateError
        return {"error": f"{type(error).__name__}: {error}", "raised": str(error) if raised else None}


def fnv(text):
    out = 0xcbf29ce484222325
    for byte in text.encode("utf-8", "surrogatepass"):
        out = (out ^ byte) * 0x100000001b3 % 2**64
    return f"{out:016x}"


def expand(template, name, tools, variables, prompt):
    values, documents = conversations.variables_of(template, variables)
    return {"template": (conversations.TEMPLATES / f"{template}.jinja").read_text(),
            "messages": conversations.CONVERSATIONS[name], "tools": conversations.TOOLS[tools],
            "documents": documents, "variables": values, "add_generation_prompt": prompt}


def feature_case(template, **variables):
    return {"template": template, "messages": features.MESSAGES, "tools": features.TOOLS,
            "variables": {**features.VARIABLES, **variables}}


def write_golden():
    seen, real = set(), collections.defaultdict(list)
    shown = 0
    for key in conversations.real_cases(False):
        if key in seen:
            continue
        seen.add(key)
        result = reference(expand(*key))
        if "text" in result:
            short = key[1] in ("system", "calls") and key[3] == "plain"
            shown += short
            result = result["text"] if short else {"fnv": fnv(result["text"])}
        elif result["raised"] is not None:
            result = {"raised": result["raised"]}
        else:
            result = {"error": result["error"][:60]}
        real[key[0]].append([*key[1:], result])
    small = []
    for template in features.TEMPLATES:
        result = reference(feature_case(template))
        if "error" in result:
            result = {"raised": result["raised"]} if result["raised"] is not None else {"error": result["error"][:60]}
        else:
            result = result["text"]
        small.append([template, result])
    golden = {"now": int(NOW.timestamp()), "tokens": conversations.TOKENS,
              "conversations": conversations.CONVERSATIONS, "tools": conversations.TOOLS,
              "variables": conversations.VARIABLES, "real": real,
              "small": {"messages": features.MESSAGES, "tools": features.TOOLS, "variables": features.VARIABLES}}
    out = conversations.TEMPLATES / "golden.json"
    with out.open("w") as file:
        def line(value):
            return json.dumps(value, ensure_ascii=False)
        file.write("{\n")
        for name in ("now", "tokens", "conversations", "tools", "variables"):
            file.write(f'"{name}": {line(golden[name])},\n')
        file.write('"real": {\n')
        file.write(",\n".join(f'"{t}": [\n' + ",\n".join(map(line, cases)) + "\n]" for t, cases in real.items()))
        file.write("\n},\n")
        for name, value in golden["small"].items():
            file.write(f'"small_{name}": {line(value)},\n')
        file.write('"small": [\n' + ",\n".join(map(line, small)) + "\n],\n")
        file.write('"refused": [\n' + ",\n".join(map(line, features.REFUSED)) + "\n]\n}\n")
    print(f"{out}: {len(seen)} renderings of {len(real)} templates ({shown} in full), {len(small)} small templates")


class Tool:
    def __init__(self, path):
        self.path = path
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding="utf-8", errors="surrogatepass")

    def render(self, case):
        self.process.stdin.write(json.dumps({**case, "now": int(NOW.timestamp())}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)
        self.start()
        return {"error": "CRASH", "kind": -1}


def differs(expected, found):
    if found.get("kind") == -1:
        return True
    if found.get("kind") == 2 and "error" in found:
        return False  # what Ashlar says it does not do
    if " at 0x" in expected.get("text", ""):
        return "text" not in found  # an address in memory
    if "text" in expected:
        return found.get("text") != expected["text"]
    if expected.get("raised"):
        return "error" not in found or expected["raised"] not in found["error"]
    return "error" not in found


def compare(cases, tool, limit=400):
    tool = Tool(tool)
    counts = collections.Counter()
    for name, case in cases:
        try:
            json.dumps(case)
        except (TypeError, ValueError):
            continue
        expected, found = reference(case), tool.render(case)
        counts["renderings"] += 1
        counts["errors"] += "error" in expected
        counts["unsupported"] += found.get("kind") == 2
        if not differs(expected, found):
            continue
        counts["differ"] += 1
        if counts["differ"] <= limit:
            print(f"== {name}\n  expected {json.dumps(expected, ensure_ascii=False)[:1500]}\n"
                  f"  found    {json.dumps(found, ensure_ascii=False)[:1500]}")
    print(dict(counts))
    return counts["differ"]


def compare_ids(count, tool, folders, seed):
    differ = 0
    for folder in folders:
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(pathlib.Path(folder) / "tokenizer.json"))
        rng = random.Random(seed)
        added = [t.content for t in tokenizer.added_tokens_decoder.values() if not t.special and t.content.strip()]
        special = [t.content for t in tokenizer.added_tokens_decoder.values() if t.special]
        words = ["a", " the", "\n", " ", "don't", "<", "|>", "é日本", "</", "42"]
        written = collections.Counter()
        for _ in range(count):
            own = rng.sample(special, min(2, len(special))) + rng.sample(added, min(1, len(added)))
            template = "".join(own) + "{{ messages[0].content }}" + "".join(own[:1]) + "\n"
            text = "".join(rng.choice(rng.choice([words, words, added or words])) for _ in range(rng.randrange(1, 9)))
            case = {"template": template, "messages": [{"role": "user", "content": text}], "tokenizer": folder}
            expected = tokenizer.apply_chat_template(case["messages"], chat_template=template, return_dict=False,
                                                     sanitize_control_tokens=True)
            found = tool.render(case)
            held = [t for t in added if t in text]
            written["messages"] += 1
            written["with added tokens"] += bool(held)
            written["of the template's own"] += any(t in own for t in held)
            # Around a control word that stays text Transformers cuts, which only moves the borders of words.
            marks = set(tokenizer.added_tokens_decoder)
            ids = found.get("ids", [])
            if [i for i in ids if i in marks] != [i for i in expected if i in marks] or \
                    tokenizer.decode(ids) != tokenizer.decode(expected):
                written["differ"] += 1
                if written["differ"] <= 5:
                    print(f"== {folder} {template!r} {text!r}\n  expected {expected}\n  found    {found}")
        print(folder, f"{len(added)} added tokens that are not special", dict(written))
        differ += written["differ"]
    return differ


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="TOOL")
    parser.add_argument("--random", nargs=2, metavar=("N", "TOOL"))
    parser.add_argument("--ids", nargs="+", metavar=("N", "TOOL"))
    parser.add_argument("--chats", nargs=2, metavar=("N", "TOOL"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.check:
        seen = dict.fromkeys(conversations.real_cases(True))
        bad = compare(((key, expand(*key)) for key in seen), options.check)
        bad += compare(((t, feature_case(t)) for t in features.TEMPLATES), options.check)
        sys.exit(bad != 0)
    if options.random:
        warnings.simplefilter("ignore")  # Python's, of the code that Jinja2 generates
        count, tool = options.random
        rng = random.Random(options.seed)
        cases = (features.random_template(rng) for _ in range(int(count)))
        sys.exit(compare(((t, feature_case(t)) for t in cases), tool) != 0)
    if options.ids:
        sys.exit(compare_ids(int(options.ids[0]), Tool(options.ids[1]), options.ids[2:], options.seed) != 0)
    if options.chats:
        count, tool = options.chats
        rng = random.Random(options.seed)
        cases = (conversations.random_chat(rng) for _ in range(int(count)))
        sys.exit(compare(cases, tool) != 0)
    write_golden()


if __name__ == "__main__":
    main()
