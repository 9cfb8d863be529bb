# Small templates that try one thing each, and random ones made of their parts.
"""TEMPLATES is a list; random_template(rng) makes one more. All are rendered with MESSAGES, TOOLS and VARIABLES."""
import template_parts

MESSAGES = [
    {"role": "system", "content": "Be <b>kind</b> & 'brief'."},
    {"role": "user", "content": " Hello,\tWörld!\n "},
    {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "id": "c1", "function": {"name": "f", "arguments": {"x": 1, "y": [1.5, None, True]}}}]},
    {"role": "tool", "content": "42", "name": "f"},
    {"role": "user", "content": [{"type": "text", "text": "part é"}, {"type": "image"}]},
]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
    "x": {"type": "integer"}, "y": {"type": "array", "items": {"type": "number"}}}, "required": ["x"]}}}]
VARIABLES = {
    "bos_token": "<s>", "eos_token": "</s>", "n": 3, "big": 2**62, "f": 2.5, "neg": -7, "yes": True, "no": False,
    "nothing": None, "huge": 2**80, "s": "Hello World", "u": "Straße Ǆ ΣΑΣ ﬁ 日本 👩‍👧 e\u0301", "empty": "", "ws": "  a\tb\n c  ",
    "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "nested": [[1, 2], [3, [4]]], "e": [],
    "d": {"b": 1, "a": 2, "C": 3}, "dd": {"k": {"x": [1, {"y": None}]}, "items": 5, "1": "one", "_p": 1},
    "objs": [{"n": "x", "v": 2, "t": True, "in": {"k": 1}}, {"n": "Y", "v": 1}, {"n": "z", "v": 3, "t": False,
             "in": {"k": 0}}],
    "html": "<a href=\"x\">&'</a>", "lines": "one\n two\r\nthree\n\nfour", "digits": "0123456789",
    "floats": [0.1, 1e22, 1e16, 1.5e-7, -0.0, 123456789.125, 1e300],
}

# One a line, so that a line feed within one is written \n (and a backslash \\).
ONE_LINERS, REFUSED = template_parts.ONE_LINERS, template_parts.REFUSED
TEMPLATES = [line for line in ONE_LINERS.split("\n") if line and not line.startswith("## ")]
TEMPLATES = [line.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t").replace("\0", "\\")
             for line in TEMPLATES]

VALUES = """s|u|empty|ws|l|ls|nested|e|d|dd|objs|html|lines|digits|floats|n|big|f|neg|yes|no|nothing|missing|messages|tools
|'abc'|"x y"|''|0|1|-1|2|10|2.0|0.5|1e3|true|false|none|[]|[1,2,3]|['a','B']|{}|{'a':1}|{'k':'v','j':2}|(1,2)|()|(1,)
|range(4)|range(5,0,-2)|range(0)|messages[0]|messages[1].content|messages[-1]['content']|d.items()|d.keys()|dd.k|d.values()
|objs[0]|l[0]|s[0]|s[1:3]|namespace(a=1)|dict(a=1)|loop|s.upper|s.split()|'%s-%s'|'{} {}'|"a,b,c"|'1.5'|' 7 '|'0x1f'
|'é'|'A1'|[none]|[[1],[0]]|[true,1]|nested[1]|9999999999|123456.789|-0.0|s|safe|html|e
|"ab\\ncd\\n"|messages|length|floats[3]|objs|map(attribute='v')|ls|sort|d|dictsort""".replace("\n", "")
# '|' within a value is a filter: put those back together.
VALUES = [v for v in VALUES.replace("s|safe", "s!safe").replace("html|e|", "html!e|").replace("messages|length", "messages!length")
          .replace("objs|map", "objs!map").replace("ls|sort", "ls!sort").replace("d|dictsort", "d!dictsort").split("|")]
VALUES = [v.replace("!", "|") for v in VALUES if v]

FILTERS = """abs attr('a') attr('upper') batch(2) batch(2,'-') batch(0) capitalize center center(12) center(width=7) count d('x')
d('x',true) default(1) default('z',boolean=true) dictsort dictsort(true) dictsort(false,'value') dictsort(by='value')
dictsort(reverse=true) e escape  first float float(1.5)  format(1) format('a','b')
indent indent(2) indent(2,true)
indent(2,true,true) indent('--') indent(first=true) indent(blank=true) int int(5) int(0,16) int(base=2) int(default=-1) items
join join(',') join(', ','n') join(attribute='v') join(1) last length list lower map('upper') map(attribute='n')
map(attribute='in.k') map(attribute='in.k',default='?') map('length') map('int') map('default','q') map('string') map('tojson')
map('join','-') map(attribute=0) map('nope') map max max(attribute='v') max(true) min min(attribute='n') reject
reject('odd') reject('none') reject('equalto',1) rejectattr('t') rejectattr('v','gt',1) replace('a','b') replace('l','L',1)
replace('','.') replace(1,2) reverse round round(1) round(2) round(-1) round(0,'ceil') round(1,'floor') round(method='ceil') safe
select select('odd') select('string') select('defined') select('in',[1,2,'a']) select('mapping') selectattr('t')
selectattr('t','defined') selectattr('v','eq',2) selectattr('n','equalto','x') selectattr('in.k')
sort sort(true) sort(reverse=true) sort(case_sensitive=true) sort(attribute='v') sort(attribute='n') sort(attribute='n,v')
string sum sum('v') sum(attribute='v') sum(start=10) title tojson tojson(indent=2) tojson(indent=0) tojson(indent='>')
tojson(ensure_ascii=true) tojson(sort_keys=true) tojson(separators=(',',':')) tojson(true) trim trim('aHd') truncate truncate(5)
truncate(5,true) truncate(7,false,'…') truncate(3,true,'',0) unique unique(true) unique(attribute='v') upper""".split()

TESTS = """odd even divisibleby(2) divisibleby(3) defined undefined filter test none boolean false true integer float lower upper
string mapping number sequence iterable callable sameas(1) sameas(none) sameas(true) escaped in([1,'a',2]) in('abc') in(d) eq(1)
equalto('a') ne(1) gt(1) ge(1) lt(2) le(2) greaterthan(1) lessthan('b') odd()""".split()

METHODS = """upper() lower() title() capitalize()  strip() strip('aH ') lstrip() rstrip() rstrip('d!') split()
split(',') split('l',1) split(none,1) split(' ',maxsplit=1) split(maxsplit=2) split('') rsplit() rsplit('o',1) rsplit(none,1)
splitlines() splitlines(true) join(['x','y']) join(ls) join([1]) replace('l','_') replace('','-') replace('l','_',1) find('o')
find('o',5) find('o',-3,20) rfind('o') index('o') index(2) rindex('l') count('l') count(1) count('') count('l',3,9)
startswith('He') startswith(('x','H')) startswith('l',2) endswith('d') endswith('') zfill(14) zfill(2) center(15) center(15,'*')
ljust(13) ljust(14,'.') rjust(13) isdigit() isalpha() isalnum() isspace() isupper() islower()
 partition(' ') partition('zz') rpartition('o') removeprefix('He')
removesuffix('ld')  format(1,2) format('a',b=2)  get('a') get('zz') get('zz',5) get(1)
get([]) keys() values() items() copy() append(1) pop() update({}) clear() sort() extend([1]) remove(1) insert(0,1) setdefault('a',1)
foo foo.bar _x __class__ __class__.__name__ items keys a b k.x
content role x y 0 1""".split()

SLICES = """[0] [1] [-1] [9] [-9] ['a'] ['zz'] [1:] [:2] [-2:] [:-1] [::2] [::-1] [1:9:3] [9:] [:] [-1:-3:-1] [none:2] ['a':]
[::0] [1:2:none] [0][0] [true] [1.0] [nothing] [missing] [5:1] [-100:100] [::-2] ['items'] ['_p'] ['__class__']""".split()

OPS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]


def expression(rng, depth):
    if depth <= 0 or rng.random() < 0.15:
        return rng.choice(VALUES)
    inner = expression(rng, depth - 1)
    pick = rng.random()
    if pick < 0.30:
        return f"{inner}|{rng.choice(FILTERS)}"
    if pick < 0.45:
        return f"({inner}).{rng.choice(METHODS)}" if rng.random() < 0.7 else f"{inner}.{rng.choice(METHODS)}"
    if pick < 0.56:
        return f"({inner}){rng.choice(SLICES)}"
    if pick < 0.70:
        op = rng.choice(OPS)
        other = rng.choice(["0", "1", "2", "3", "-2", "0.5", "'a'"]) if op == "**" else expression(rng, depth - 1)
        left = rng.choice(["2", "0.5", "n", "neg", "f", "s"]) if op == "**" else inner
        return rng.choice(["{} {} {}", "({} {} {})"]).format(left, op, other)
    if pick < 0.80:
        return f"({inner} is {rng.choice(['', 'not '])}{rng.choice(TESTS)})"
    if pick < 0.84:
        return f"(not {inner})"
    if pick < 0.87:
        return f"-{inner}" if rng.random() < 0.5 else f"+({inner})"
    if pick < 0.92:
        tail = f" else {expression(rng, depth - 1)}" if rng.random() < 0.8 else ""
        return f"({inner} if {expression(rng, depth - 1)}{tail})"
    if pick < 0.96:
        return f"[{inner}, {expression(rng, depth - 1)}]"
    return f"{{'k': {inner}, {rng.choice(['1', 'n', chr(39) + 'z' + chr(39)])}: {expression(rng, depth - 1)}}}"


def tag(rng, text):
    return "{%" + rng.choice(["", "", "-", "+"]) + f" {text} " + rng.choice(["", "", "-", "+"]) + "%}"


def space(rng):
    return rng.choice(["", "", " ", "\n", "  \n", "\n  ", "\t", "x", " y ", "\r\n", "\n\n", "{# c #}", "{#- c -#}"])


def statement(rng, depth):
    pick = rng.random()
    show = "{{" + rng.choice(["", "-"]) + " " + expression(rng, rng.randint(1, 3)) + " " + rng.choice(["", "-"]) + "}}"
    if depth <= 0 or pick < 0.35:
        return show
    body = statements(rng, depth - 1)
    name = rng.choice("xyvn")
    value = expression(rng, 2)
    t = lambda text: tag(rng, text)  # noqa: E731
    if pick < 0.45:
        return t(f"set {name} = {value}") + "{{ " + name + " }}"
    if pick < 0.50:
        return t(f"set {name}" + rng.choice(["", "|upper", "|trim|length"])) + body + t("endset") + "{{ " + name + " }}"
    if pick < 0.62:
        other = t("else") + statements(rng, depth - 1) if rng.random() < 0.5 else ""
        middle = t(f"elif {expression(rng, 1)}") + statements(rng, depth - 1) if rng.random() < 0.3 else ""
        return t(f"if {value}") + body + middle + other + t("endif")
    if pick < 0.80:
        target = rng.choice(["x", "x", "x", "k, v", "x, y"])
        source = rng.choice([value, "l", "objs", "d.items()", "range(3)", "messages", "e", "s", "nested", "l|map('string')"])
        test = rng.choice(["", "", f" if {rng.choice(['x', 'x > 1', 'loop', expression(rng, 1)])}"])
        inside = rng.choice([body, "{{ x }}{{ loop.index }}/{{ loop.length }} ", "{{ loop.last }}{{ x }}",
                             "{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}", "{{ loop.cycle('a','b') }}",
                             "{{ loop.changed(x) }}", "{% if loop.first %}{% continue %}{% endif %}{{ x }}",
                             "{% if loop.index > 1 %}{% break %}{% endif %}{{ x }}",
                             "{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{{ loop.index0 }}"])
        other = t("else") + "none" if rng.random() < 0.3 else ""
        return t(f"for {target} in {source}{test}") + inside + other + t("endfor") + "{{ " + name + " }}"
    if pick < 0.86:
        args = rng.choice(["", "a", "a, b=1", "a, b=a", "a='q', b=2"])
        call = rng.choice(["m()", "m(1)", "m(1, 2)", "m(b=3)", "m(1, 2, 3)", "m(a=1, c=2)", "m"])
        inside = rng.choice([body, "{{ a }}-{{ b }}", "{{ varargs }}{{ kwargs }}{{ a }}", "{{ caller() if caller else 'no' }}"])
        return t(f"macro m({args})") + inside + t("endmacro") + "{{ " + call + " }}"
    if pick < 0.90:
        return (t("macro c(x=1)") + "[{{ caller(x) if x else caller() }}]" + t("endmacro") +
                t("call(y)" + f" c({rng.choice(['', '0', '2', value])})") + body + "{{ y }}" + t("endcall"))
    if pick < 0.93:
        return t(f"with {name} = {value}") + body + "{{ " + name + " }}" + t("endwith")
    if pick < 0.96:
        return t(f"set ns = namespace(a={value})") + t("for x in l") + t("set ns.a = x") + t("endfor") + "{{ ns.a }}" + body
    if pick < 0.98:
        return t("filter " + rng.choice(["upper", "trim", "replace('a', 'b')", "indent(2)"])) + body + t("endfilter")
    return t("generation") + body + t("endgeneration")


def statements(rng, depth):
    return "".join(space(rng) + statement(rng, depth) for _ in range(rng.choice([1, 1, 2]))) + space(rng)


def random_template(rng):
    pick = rng.random()
    if pick < 0.5:
        return "{{ " + expression(rng, rng.randint(1, 4)) + " }}"
    if pick < 0.9:
        return statements(rng, rng.randint(1, 3))
    # A known template with a small damage.
    text = list(rng.choice(TEMPLATES))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        what = rng.choice(["", "{", "}", "%", "-", "'", " ", "(", ")", "|", ".", "x", "1", "\n", "if ", "{{", "%}", ",", "[", "]", "is "])
        text[at:at + rng.choice([0, 1, 2])] = list(what)
    return "".join(text)
