# Strings that tokenizers disagree about: code, scripts, emoji, broken UTF-8, runs, look-alikes of special tokens.
"""make(seed, count) gives a list of str and, for bytes that are not UTF-8, of {"bytes": [...]}."""
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPECIAL = (
    "<s> </s> <bos> <eos> <pad> <unk> <mask> <|im_start|> <|im_end|> <think> </think> <|endoftext|> "
    "<start_of_turn> <end_of_turn> <|begin_of_text|> <|eot_id|> <|start_header_id|> <｜User｜> "
    "<｜begin▁of▁sentence｜> <｜▁pad▁｜> <｜place▁holder▁no▁3｜> <|tool▁sep|> [INST] [/INST] <0x0A> <0xE4> "
    "<table> </h1> <tool_call> <|channel|> <|start|> <|message|> <unused7> [multimodal] <EOT> "
    "<|fim_prefix|> [BOS] <|im_user|> <SPECIAL_30> <|reserved_token_9|> <a> <b> <n> <l> <r> <w> <z>").split()
# First and last code point of what text is drawn from.
SCRIPTS = [
    (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xD80, 0xDFF),
    (0xE00, 0xE7F), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF),
    (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF), (0x1C80, 0x1C8F),
    (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x2070, 0x20CF), (0x2100, 0x214F), (0x2190, 0x21FF),
    (0x2600, 0x27BF), (0x3000, 0x303F), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xA640, 0xA69F),
    (0xAC00, 0xD7A3), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x105C0, 0x105FF), (0x10D40, 0x10D8F),
    (0x16D40, 0x16D7F), (0x1CC00, 0x1CEFF), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF),
    (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
WORDS = ("the of and to in is that it was for on are with as I his they be at one have this from hello "
         "world don't can't I'll we've they're HELLO World's camelCase snake_case XMLHttpRequest").split()
SPACES = [" ", " ", " ", "  ", "\n", "\n\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\x0b",
          "\x85", "\u200b", "\u2003", "\u1680", "\x1c"]
SUFFIXES = ["'s", "'S", "'ſ", "'T", "'re", "'RE", "'ll", "'LL", "'d", "'", "''", "’s", "'vE", "'m"]
SAMPLES = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "é", "e\u0301", "ﬁ", "Å", "Å", "\u1e9b\u0323", "한국어", "각",
           "\u1100\u1161\u11a8", "q\u0307\u0323", "日本語のテキスト", "中文字符，标点。", "ไทยภาษา", "العربية",
           "עברית", "हिन्दी", "தமிழ்", "Ελληνικά", "Русский", "İstanbul", "ß", "ẞ", "Ǆ", "½", "²", "Ⅷ",
           "١٢٣", "𝟘𝟙", "\U000105D2\u0307", "\U00011935\U00011930", "\u09c7\u09be"]
ODD = ["▁", "▁▁", "▁the", "Ġ", "Ċ", "<0x41>", "\ufeff", "\u200d", "\x00", "\x1b[0m", "ﷺ", "\uffff"]


def sources():
    """The project's own text, as samples of code and prose."""
    texts = []
    for pattern in ("src/text/*.cpp", "tools/*.py", "docs/*.md", "*.md"):
        for file in sorted(ROOT.glob(pattern))[:20]:
            texts.append(file.read_text(encoding="utf-8", errors="replace"))
    return texts


def make(seed, count):
    rnd = random.Random(seed)
    code = sources()

    def char():
        low, high = rnd.choice([(0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF),
                                (0x10000, 0x10FFFF)])
        return chr(rnd.randint(low, high))

    def script():
        low, high = rnd.choice(SCRIPTS)
        return "".join(chr(rnd.randint(low, high)) for _ in range(rnd.randint(1, 12)))

    def excerpt(longest):
        text = rnd.choice(code)
        at = rnd.randrange(len(text))
        return text[at:at + rnd.randint(1, longest)]

    parts = [
        lambda: rnd.choice(WORDS), lambda: rnd.choice(WORDS), lambda: " " + rnd.choice(WORDS),
        lambda: rnd.choice(WORDS).capitalize() + rnd.choice([",", ".", "?", " ", "\n"]),
        lambda: " ", lambda: "".join(rnd.choice(SPACES) for _ in range(rnd.randint(1, 4))), script,
        lambda: str(rnd.randint(0, 10**rnd.randint(1, 12))), lambda: rnd.choice(SPECIAL),
        lambda: rnd.choice(SUFFIXES), lambda: rnd.choice(SAMPLES), lambda: rnd.choice(ODD), char,
        lambda: "".join(rnd.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(rnd.randint(1, 5))),
        lambda: rnd.choice([" ", "\n", "\t", "0", "9", "a", "ab", "é", "▁", "中", "=", "-", "\r\n", "\u3000",
                            "🙂"]) * rnd.randint(1, 40),
        lambda: excerpt(200)]
    out = ["", " ", "  ", "\n", "a", " a", "a ", "\n\n\n"] + SPECIAL
    while len(out) < count:
        kind = rnd.random()
        if kind < 0.87:
            out.append("".join(rnd.choice(parts)() for _ in range(rnd.randint(1, 25))))
        elif kind < 0.95:
            out.append(excerpt(3000))
        else:
            data = bytearray("".join(rnd.choice(parts)() for _ in range(10)).encode())
            for _ in range(rnd.randint(1, 6)):
                if data:
                    data[rnd.randrange(len(data))] = rnd.randint(0, 255)
            out.append({"bytes": list(data)})
    return out[:count]


def as_text(item):
    """What the tokenizer is to make of it: what is not UTF-8 reads as U+FFFD."""
    return item if isinstance(item, str) else bytes(item["bytes"]).decode("utf-8", "replace")
