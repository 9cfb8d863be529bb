# Small templates, one a line: what each tries stands in its section's title.
ONE_LINERS = r"""
## white space around tags
 {% if true %} a {% endif %} b
a\n  {% if true %}\n b\n  {% endif %}\nc
a\n  {%- if true -%}\n b\n  {%- endif -%}\nc
a\n  {%+ if true +%}\n b\n  {%+ endif +%}\nc
  {{ 1 }}\n  {{- 2 -}}\n  {{ 3 }}\n
  {# c #}\n  {#- c -#}\n  x {# c #}\n y
{% raw %}{{ x }}{% endraw %}|  {%- raw -%} {% y {%- endraw -%}  z
  {% raw %}\n a {% endraw %}\n b
a\r\nb\rc\n\n
{{ 1 }}\n
{{ 1 }}\n\n
\n\n{% set x = 1 %}\n\n{{ x }}\n
{% if 1 %}\n{% if 2 %}\nx\n{% endif %}\n{% endif %}\ny
\t{% for x in l %}\t{{ x }}\n\t{% endfor %}\tz
a{%- set x = 1 %} b
{%set x=1%}{{x}}{%if x%}y{%endif%}
{{ '{{' }}{{ "}}" }}{{ '{%' }}
{{ {'a': {'b': 1}} }}{{ {'a':{}}}}
{% for x in l -%}\n  {{ x }}\n{%- endfor %}
x\u00a0{% if 1 %} y{% endif %}
## literals and their printing
{{ 1_000 }} {{ 0x1F }} {{ 0o17 }} {{ 0b101 }} {{ 1e3 }} {{ 1.5E-7 }} {{ 9223372036854775807 }}
{{ ['it\\'s', "q\\"", 'b\\'"'] }} {{ ['\\x00\\x7f\\u200b\\xa0é日😀'] }}
{{ big - 1 + big }} {{ -big * 2 }} {{ big // 7 }} {{ -big // 7 }} {{ -big // -7 }} {{ big % 7 }} {{ -big % 1000 }} {{ big / 4 }} {{ 2 ** 62 }} {{ (-2) ** 63 }} {{ 3 ** 39 }}
{{ 1.0 }} {{ -0.0 }} {{ 1e22 }} {{ 1e16 }} {{ 1e15 }} {{ 1e-4 }} {{ 1e-5 }} {{ 123456789.125 }} {{ 0.1 + 0.2 }}
{{ true }} {{ True }} {{ none }} {{ None }} {{ false }} {{ [true, none, 1.0, 'a'] }}
{{ 'a\\nb' }} {{ "a\\tb" }} {{ 'it\\'s' }} {{ "q\\"q" }} {{ '\\x41\\u00e9\\U0001F600' }} {{ '\\q' }}
{{ "a" 'b' "c" }} {{ ['x' 'y'] }}
{{ [1, 2,] }} {{ (1,) }} {{ () }} {{ (1, 2) }} {{ {} }} {{ {'a': 1, 2: 'b', none: 1.5, (1, 2): []} }}
{{ 1, 2 }} {{ (1) }} {{ ((1,),) }}
{{ messages }}
{{ tools }}
{{ floats }} {{ floats | map('string') | list }}
{{ {1: 'a', 1.0: 'b', true: 'c'} }}
## arithmetic
{{ 10 ** 18 }} {{ 10 ** -20 }} {{ 0 ** 0 }} {{ 0.0 ** 0 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 3 }} {{ 2 ** -1 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ 7 % -2.5 }} {{ 2 ** 0.5 }} {{ 1e308 * 10 }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 / 0 }}
{{ 'a' + 'b' }} {{ 'ab' * 2 }} {{ 2 * 'ab' }} {{ [1] + [2] }} {{ [0] * 3 }} {{ (1,) + (2,) }} {{ 'a' * -1 }} {{ 'a' * true }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ none + 1 }}
{{ true + true }} {{ true * 3 }} {{ -true }} {{ +true }} {{ true / 2 }}
{{ 1 ~ 2 ~ 'x' ~ none ~ 1.5 ~ [1] }} {{ 'a' ~ missing ~ 'b' }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2 - 3 - 4 }} {{ 100 // 7 // 2 }}
{{ 1 - -1 }} {{ - 1 }} {{ -(-1) }} {{ +1 }} {{ -1.5 | abs }} {{ (-1.5) | abs }} {{ 3 - 1 | abs }}
{{ 'a' - 'b' }}
{{ n + f }} {{ n * f }} {{ neg // n }} {{ neg % n }} {{ n ** neg }}
## comparison and logic
{{ 1 == 1.0 }} {{ 1 == true }} {{ '1' == 1 }} {{ none == false }} {{ [1] == [1.0] }} {{ (1,) == [1] }} {{ {'a': 1} == {'a': 1.0} }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 >= 2 != 1 }} {{ 'a' < 'b' }} {{ 'a' < 'B' }} {{ [1, 2] < [1, 3] }} {{ 1 < 1.5 }}
{{ 1 < 'a' }}
{{ none < none }}
{{ missing < 1 }}
{{ missing == missing2 }} {{ missing == none }} {{ missing != 1 }} {{ missing == '' }}
{{ 1 and 2 }} {{ 0 and 2 }} {{ 1 or 2 }} {{ 0 or '' }} {{ not 0 }} {{ not 'a' }} {{ '' or none or [] or 'x' }} {{ not not 1 }}
{{ 1 in [1, 2] }} {{ 'a' in 'abc' }} {{ 'a' in {'a': 1} }} {{ 3 not in [1] }} {{ '' in 'a' }} {{ none in [none] }} {{ 1 in (1.0,) }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ 1 in none }}
{{ missing in [1] }} {{ 1 in missing }}
{{ 'x' if yes }}|{{ 'x' if no }}|{{ 'x' if no else 'y' }}|{{ 'a' if no else 'b' if no else 'c' }}
{{ ('x' if no).y }}
{{ not 1 == 2 }} {{ not (1 == 2) and true }} {{ 1 if 0 else 2 + 3 }}
{{ yes and not no or missing }}
## undefined
[{{ missing }}][{{ d.missing }}][{{ l[9] }}][{{ s.missing }}][{{ none.x }}]
{{ missing.x }}
{{ missing['x'] }}
{{ missing() }}
{{ missing + 1 }}
{{ d.missing.x }}
{{ d.missing() }}
{{ s.missing() }}
{{ missing | default('d') }} {{ missing | d }} {{ none | default('d') }} {{ '' | default('d') }} {{ '' | default('d', true) }} {{ 0 | d(5, boolean=true) }}
{{ missing is defined }} {{ missing is undefined }} {{ d.a is defined }} {{ d.zz is defined }} {{ d['zz'] is defined }} {{ missing.x is defined }}
{{ missing | length }} {{ missing | list }} {{ missing | join }} {{ missing | upper }}| {{ missing | string }}| {{ missing | first }}|
{{ missing | int }}
{{ missing | tojson }}
{{ [missing] | tojson }}
{% for x in missing %}a{% else %}none{% endfor %}
{{ [missing] }} {{ {'a': missing} }} {{ '%s' % missing }} {{ '{}'.format(missing) }} {{ missing is none }} {{ missing is sameas(none) }}
{% if missing %}a{% else %}b{% endif %}{% if not missing %}c{% endif %}{% if missing is none %}d{% endif %}
{% set x = missing %}{{ x }}{{ x is defined }}
{{ none.x.y }}
## attributes, items and the sandbox
{{ d.a }} {{ d['a'] }} {{ d.C }} {{ d['zz'] }}| {{ dd.k.x[1].y }} {{ dd['k']['x'][0] }} {{ dd['1'] }} {{ dd.1 }}|
{{ dd.items is callable }}{{ dd.items == 5 }}
{{ dd['items'] }} {{ dd._p }} {{ dd['_p'] }}
{{ l.0 }} {{ l[0] }} {{ l[-1] }} {{ l[3] }}| {{ l['0'] }}| {{ l[1.0] }}| {{ s[0] }} {{ s[-1] }} {{ s[99] }}| {{ l[true] }}
{{ s.__class__ }}|{{ s['__class__'] }}|{{ d.__class__ }}|{{ (1).__class__ }}|
{{ s.__class__.__mro__ }}
{{ ''.__class__.__base__.__subclasses__() }}
{{ l.append(4) }}
{{ l.append }}|{{ d.update }}|{{ d.pop is defined }}|{{ l.sort is callable }}
{{ d.update({'x': 1}) }}
{{ d.pop('a') }}
{{ d.setdefault('q', 1) }}
{{ d.clear() }}
{{ l.copy() }} {{ d.copy() }} {{ l.index(1) }} {{ l.count(1) }} {{ (1, 2, 1).count(1) }} {{ (1, 2).index(2) }}
{{ l.index(9) }}
{{ range(100001) }}
{{ range(100000) | length }} {{ range(3) }} {{ range(1, 4) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ range(3)[1] }} {{ range(9)[2:8:3] }} {{ range(3)[-1] }}
{{ range(1, 2, 0) }}
{{ range() }}
{{ range('a') }}
{{ dict(a=1, b=2) }} {{ dict({'a': 1}, b=2) }} {{ dict([('a', 1), ['b', 2]]) }} {{ dict() }} {{ dict.fromkeys(['a', 'b'], 0) }}
{{ namespace(a=1).a }} {{ namespace(a=1).b }}| {{ namespace({'x': 2}).x }} {{ namespace(a=1) }} {{ namespace() }}
{{ namespace(_a=1) }}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set d.a = 5 %}
{% set x.y = 1 %}
{{ s.format is callable }}
{{ s() }}
{{ none() }}
{{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 7) }} {{ d.get('a', 7) }} {{ d.get(none) }} {{ d.items() | list }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.items() }} {{ d.keys() }}
{{ d.get() }}
{{ d.items()[0] }}| {{ d.keys() | first }} {{ d.items() | length }} {{ ('a', 2) in d.items() }} {{ 'a' in d.keys() }} {{ 3 in d.values() }}
## slices
{{ s[1:4] }} {{ s[:3] }} {{ s[-3:] }} {{ s[::2] }} {{ s[::-1] }} {{ s[8:2:-2] }} {{ s[5:1] }}| {{ s[-100:100] }} {{ u[1:] }} {{ u[::-1] }} {{ u[-4:-1] }}
{{ l[1:] }} {{ l[::-1] }} {{ l[:-1] }} {{ l[-2:] }} {{ (1, 2, 3)[1:] }} {{ l[10:] }} {{ l[none:2] }} {{ l[:] }}
{{ d[1:] }}
{{ n[1:] }}
{{ nothing[1:] }}
{{ missing[1:] }}
{{ l['a':] }}
{{ l[::0] }}
{{ l[1.0:] }}
{{ messages[1:] | length }} {{ messages[-1].role }} {{ messages[::-1][0].role }} {{ messages[:-1][-1].role }}
## if and for
{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 0 %}b{% else %}c{% endif %}{% if 0 %}x{% endif %}
{% for x in l %}{{ x }},{% endfor %}|{% for x in e %}x{% else %}empty{% endfor %}|{% for c in s[:3] %}{{ c }}-{% endfor %}|{% for k in d %}{{ k }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in d | items %}{{ k }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}
{% for x in l %}[{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}]{% endfor %}
{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }} {% endfor %}
{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% else %}none{% endfor %}
{% for x in l if x > 9 %}x{% else %}none{% endfor %}
{% for x in range(6) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% continue %}{% else %}else after continue{% endfor %}
{% for x in l %}{% break %}{% else %}else after break{% endfor %}
{% for x in l %}{{ x }}{% break %}{% endfor %}{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}
{% for x in nested recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}
{% for x in l recursive %}{{ loop.index }}{% endfor %}
{% for x in l %}{{ loop(x) }}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for a, b in l %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in ['xy', [1, 2]] %}{{ a }}{{ b }} {% endfor %}
{% for x in l | map('string') %}{{ loop.last }}{{ loop.length }}{{ x }} {% endfor %}
{% for x in [[1, 2], [3]] %}{% for y in x %}{{ loop.index }}{{ x | length }}{% endfor %}{{ loop.index }};{% endfor %}
{% for x in messages %}{{ x.role }}{% if not loop.last %},{% endif %}{% endfor %}
{% for x in range(3) %}{% for x in range(2) %}{{ x }}{% endfor %}{{ x }} {% endfor %}{{ x }}
{% break %}
{% for x in l %}{% set loop = 1 %}{% endfor %}
{% for loop in l %}{% endfor %}
{% for x in l %}{{ loop.missing }}{% endfor %}
{% for x in l | reverse %}{{ x }}{% endfor %}{% for x in s | reverse %}{{ x }}{% endfor %}{% for x in d.items() | reverse %}{{ x }}{% endfor %}
## variables and their scopes
{{ loop }}{{ loop is defined }}{{ caller is defined }}{{ varargs is defined }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}{% for i in l %}{% set x = 9 %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = x + 1 %}{{ x }} {% endfor %}{{ x }}
{% for i in l %}{% if loop.first %}{% set y = 5 %}{% endif %}[{{ y }}]{% endfor %}[{{ y }}]
{% set ns = namespace(n=0, found=false) %}{% for i in l %}{% set ns.n = ns.n + i %}{% set ns.found = true %}{% endfor %}{{ ns.n }} {{ ns.found }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (c, d) = 'xy' %}{{ c }}{{ d }}
{% set a, b = 1 %}
{% set a, b = [1] %}
{% set ns = namespace(a=1) %}{% set ns.a, x = 5, 6 %}{{ ns.a }}{{ x }}
{% set x %}a{{ 1 }}b{% endset %}[{{ x }}]{{ x | length }}{% set y | upper | replace('B', '-') %}abc{% endset %}{{ y }}
{% set x %}{% set z = 1 %}{{ z }}{% endset %}{{ x }}{{ z }}
{% set ns = namespace() %}{% set ns.x %}block{% endset %}{{ ns.x }}
{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% set a = 5 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% set s = s | upper %}{{ s }}{% set messages = messages[1:] %}{{ messages | length }}
{% if no %}{% set s = 1 %}{% endif %}{{ s }}{% if no %}{% set fresh = 1 %}{% endif %}[{{ fresh }}]
{% for i in [1] %}{% set s = 'inner' %}{{ s }}{% endfor %}{{ s }}
{% set true = 1 %}
{% set none = 1 %}
{% set x = [] %}{% set x = x + [1] %}{% set x = x + [2] %}{{ x }}
{% for i in range(2) %}{% set c = c | default(0) + 1 %}{{ c }}{% endfor %}
{% filter upper %}a{{ s }}{% endfilter %}{% filter replace('a', 'b') | upper %}aa{% endfilter %}{% filter trim %} x {% endfilter %}|
{% filter upper %}{% set z = 1 %}{% endfilter %}{{ z }}
{% generation %}{% set g = 1 %}x{{ g }}{% endgeneration %}{{ g }}
{% for m in messages %}{% generation %}{{ m.role }}{{ loop.index }}{% endgeneration %}{% endfor %}
{% do x %}
{% unknown %}
## macros and calls
{% macro m(a) %}{{ a }}{% endmacro %}{{ m.name }} {{ m is callable }}
{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=4) }}{{ m(b=1, a=0) }}{{ m() }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(z=2) }}
{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}{{ m() }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m(a, b=missing) %}[{{ b }}]{{ b is defined }}{{ a is defined }}{% endmacro %}{{ m() }}
{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}
{% macro m() %}{{ s }}{{ i }}{% endmacro %}{% for i in l %}{{ m() }}{% endfor %}
{% for i in l %}{% macro m() %}{{ i }}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}
{% macro m() %}{% set x = 1 %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}{{ x }}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}
{% macro m(x) %}<{{ caller() }}>{{ x }}{% endmacro %}{% call m(1) %}body {{ s }}{% endcall %}
{% macro m() %}{% for i in l %}{{ caller(i, i * 2) }}{% endfor %}{% endmacro %}{% call(a, b) m() %}{{ a }}:{{ b }} {% endcall %}
{% macro m() %}{{ caller is defined }}{{ caller() if caller else 'none' }}{% endmacro %}{{ m() }}{% call m() %}x{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro outer() %}{% macro inner() %}i{% endmacro %}{{ inner() }}o{% endmacro %}{{ outer() }}{{ inner is defined }}
{% macro m(a, a) %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m() -%}\n  x\n{%- endmacro %}[{{ m() }}]{{ m() | length }}{{ m() | upper }}
{% macro m(d) %}{{ d.a }}{% for k in d %}{{ k }}{% endfor %}{% endmacro %}{{ m(d) }}{{ m({'a': 1}) }}{{ m(d=dict(a=3)) }}
{% macro m(*a) %}{% endmacro %}
{{ dict(**d) }} {{ '{}-{}'.format(*l[:2]) }} {{ dict(a=1, **{'b': 2}) }}
{{ dict(a=1, **{'a': 2}) }}
{{ range(*[1, 3]) | list }} {{ '{a}'.format(**{'a': 1}) }}
{{ f(1)(2) }}
## tests
{% for v in [1, 1.0, true, none, 'a', [], {}, (), missing, range(1)] %}{{ v is string }}{{ v is number }}{{ v is integer }}{{ v is float }}{{ v is boolean }}{{ v is mapping }}{{ v is iterable }}{{ v is sequence }}{{ v is none }}{{ v is defined }}{{ v is callable }} {% endfor %}
{{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ -3 is odd }} {{ 2.0 is even }} {{ true is odd }}
{{ 'a' is odd }}
{{ true is true }} {{ 1 is true }} {{ false is false }} {{ 0 is false }} {{ none is false }} {{ yes is true }} {{ no is not true }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'a1' is lower }} {{ '1' is lower }} {{ '' is upper }} {{ 'Ab' is upper }} {{ 5 is lower }}
{{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 2 is ge(2) }} {{ 1 is lt 2 }} {{ 1 is le 0 }} {{ 1 is lessthan 3 }}
{{ 1 is in [1] }} {{ 'a' is in 'abc' }} {{ 'a' is in d }} {{ 5 is not in l }} {{ none is sameas none }} {{ 1 is sameas true }} {{ d is sameas d }}
{{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }} {{ s | safe is escaped }} {{ s is escaped }}
{{ missing is not defined }} {{ not missing is defined }} {{ s is defined and s is string }} {{ n is number and n > 2 or false }}
{{ s is nosuchtest }}
{% if false %}{{ s is nosuchtest }}{% endif %}ok
{% if true %}{{ s is nosuchtest }}{% endif %}
{{ 1 is divisibleby }}
{{ x is defined is true }}
{{ 1 is string or 2 is number }} {{ 'a' is string ~ 'x' }} {{ 5 is number + 1 }}
## filters of text
{{ '%s is %d' | format('x', 3) }} {{ '%s' | format([1]) }} {{ '%05.1f|%-6s|%3d' | format(2.25, 'ab', 7) }}
{{ html | e }} {{ html | escape }} {{ html | safe }} {{ html | e | e }} {{ 5 | e }} {{ none | e }} {{ (html | e) + '<' }} {{ (html | safe) ~ '<' }}
{{ s | upper }} {{ s | lower }} {{ u | upper }} {{ u | lower }} {{ u | capitalize }} {{ 'hello wORLD-foo (bar) a{b <c' | title }} {{ 'ß' | title }} {{ 1 | upper }} {{ none | lower }}
[{{ ws | trim }}] [{{ 'xxaxx' | trim('x') }}] [{{ 'abcba' | trim('ab') }}] [{{ '\\u3000a\\u00a0' | trim }}]
{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ s | replace('', '-') }} {{ 5 | replace(5, 6) }} {{ s | replace(old='o', new='0') }}
[{{ s | center(15) }}] [{{ s | center }}] [{{ 'ab' | center(5) }}] [{{ 'abc' | center(6) }}]
{{ lines | indent }}|{{ lines | indent(2, true) }}|{{ lines | indent(2, blank=true) }}|{{ lines | indent('> ', first=true) }}|{{ '' | indent(2, true) }}|
{{ 5 | indent }}
{{ s | truncate(5) }} {{ s | truncate(5, true) }} {{ s | truncate(7, false, '!') }} {{ s | truncate(5, leeway=0) }} {{ s | truncate }} {{ s | truncate(5, true, '', 0) }}
{{ s | truncate(1) }}
{{ '%s %s' | format('x') }}
{{ '%s' | format('a', b=1) }}
{{ 'a' | safe + '<' }} {{ '<' + 'a' | safe }} {{ ('<' | e) ~ '<' }} {{ ('a' | safe) * 2 }} {{ ('%s' | safe) % '<' }} {{ ('{}' | safe).format('<') }} {{ '<' | safe | upper }}
{{ ['<', 'a' | safe] | join(',') }} {{ ['<', '>'] | join('&' | safe) }} {{ ('a,b' | safe).split(',') }} {{ ('a' | safe).join(['<', 'b']) }} {{ ('ab' | safe).replace('a', '<') }}
{{ 5 | string }} {{ none | string }} {{ [1, 'a'] | string }} {{ true | string | length }} {{ d | string }} {{ 1.0 | string }} {{ messages[2] | string }}
{{ s | list }} {{ d | list }} {{ (1, 2) | list }} {{ range(3) | list }}
{{ s | first }} {{ l | last }} {{ e | first }}| {{ e | last }}| {{ s | last }} {{ d | first }} {{ d | last }} {{ '' | first }}|
{{ 5 | first }}
{{ s | reverse }} {{ l | reverse | list }} {{ (1, 2) | reverse | list }} {{ d | reverse | list }} {{ l | map('string') | reverse }}
{{ 5 | reverse }}
{{ s | length }} {{ u | length }} {{ d | count }} {{ messages | length }} {{ range(5) | length }}
{{ 5 | length }}
{{ none | length }}
{{ l | map('string') | length }}
{{ s | nosuchfilter }}
{% if false %}{{ s | nosuchfilter }}{% endif %}ok
{{ s | upper(1) }}
{{ s | upper | lower | title }} {{ s | replace('o', '0') | upper }} {{ (s | upper)[0] }} {{ s | upper ~ 'x' }} {{ -1 | abs }} {{ 2 ** 3 | string }}
## filters of numbers
{{ 'nan' | int }} {{ '' | int }} {{ '+5' | int }} {{ '- 5' | int }} {{ '9223372036854775807' | int }} {{ '-7' | int }} {{ '--7' | int }}
{{ '42' | int }} {{ '42.9' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ ' 7 ' | int }} {{ '1_000' | int }} {{ 3.99 | int }} {{ -3.99 | int }} {{ true | int }} {{ none | int }} {{ '1e3' | int }} {{ '٣' | int }} {{ [] | int }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 'x' | float(2.5) }} {{ 3 | float }} {{ 'inf' | float }} {{ '-nan' | float }} {{ '1e5' | float }} {{ '.5' | float }} {{ '5.' | float }} {{ '1_0.5' | float }} {{ none | float }} {{ true | float }} {{ 'infinity' | float }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 1234.5 | round(-2) }} {{ 1250 | round(-2) }} {{ 42 | round }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }} {{ -2.5 | round }} {{ 2.345 | round(2, 'ceil') }} {{ 0.5 | round }} {{ 1.5 | round | int }} {{ 1e300 | round(2) }}
{{ 2.5 | round(1, 'x') }}
{{ 'a' | round }}
{{ none | abs }}
{{ l | sum }} {{ [1.5, 2] | sum }} {{ objs | sum(attribute='v') }} {{ l | sum(start=10) }} {{ [] | sum }} {{ [[1], [2]] | sum(start=[]) }}
{{ ['a'] | sum }}
{{ l | min }} {{ l | max }} {{ ls | min }} {{ ls | max }} {{ ls | max(case_sensitive=true) }} {{ objs | max(attribute='v') }} {{ e | max }}| {{ s | max }} {{ [1, 1.0] | max }}
{{ [1, 'a'] | max }}
## filters of lists and dicts
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ ls | sort }} {{ ls | sort(case_sensitive=true) }} {{ objs | sort(attribute='v') | map(attribute='n') | list }} {{ objs | sort(attribute='n', reverse=true) | map(attribute='n') | join }} {{ [none, none] | sort }} {{ d | sort }} {{ [[2, 1], [1, 2]] | sort(attribute=1) }} {{ [(1, 'b'), (1, 'a')] | sort }}
{{ [1, 'a'] | sort }}
{{ ['b', 'a', 'B', 'A'] | sort }} {{ ['b', 'a', 'B', 'A'] | sort(reverse=true) }} {{ ['a', 'A', 'b'] | unique | list }} {{ ['a', 'A'] | unique(true) | list }} {{ [1, 1.0, true, 2] | unique | list }} {{ objs | unique(attribute='t') | map(attribute='n') | list }}
{{ [[1]] | unique | list }}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(by='value') }} {{ d | dictsort(reverse=true) }}
{{ d | dictsort(by='x') }}
{{ l | dictsort }}
{{ d | items | list }} {{ missing | items | list }}
{{ l | items | list }}
{{ l | join(', ') }} {{ l | join }} {{ objs | join(', ', attribute='n') }} {{ ['a', 1, none, 2.0] | join('-') }} {{ s | join('.') }} {{ l | join(1) }} {{ d | join(',') }}
{{ 5 | join }}
{{ ls | map('upper') | list }} {{ objs | map(attribute='n') | list }} {{ objs | map(attribute='in.k') | list }} {{ objs | map(attribute='t', default='no') | list }} {{ nested | map('first') | list }} {{ [['a', 'b']] | map('join', '+') | list }} {{ ['1', 'x'] | map('int', default=5) | list }} {{ [[1, 2]] | map(attribute=1) | list }} {{ [{'a': [5]}] | map(attribute='a.0') | list }}
{{ l | map | list }}
{{ l | map('nosuch') | list }}
{{ l | select('odd') | list }} {{ l | select | list }} {{ [0, 1, '', 'a', none] | select | list }} {{ [0, 1, none] | reject | list }} {{ l | reject('odd') | list }} {{ l | select('gt', 1) | list }} {{ l | select('in', [1, 2]) | list }} {{ [1, 'a', 2.0] | select('number') | list }}
{{ objs | selectattr('t') | map(attribute='n') | list }} {{ objs | selectattr('t', 'defined') | map(attribute='n') | list }} {{ objs | selectattr('v', 'gt', 1) | map(attribute='n') | list }} {{ objs | rejectattr('t') | map(attribute='n') | list }} {{ objs | rejectattr('v', 'equalto', 2) | map(attribute='n') | list }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ objs | selectattr('in.k') | map(attribute='n') | list }}
{{ objs | selectattr('in.k', 'undefined') | list }}
{{ l | select('nosuch') | list }}
{{ objs | selectattr | list }}
{{ [3, 1] | sort | first }} {{ 'b a' | sort | join }} {{ {'b': 1, 'a': 2} | list | sort | join(',') }} {{ l | list | sort | reverse | list }}
## tojson
{{ {'b': 1, 'a': [1, 2.0, none, true, 'é"\\\\/<>&\\'']} | tojson }} {{ [] | tojson }} {{ {} | tojson }} {{ 'a\\nb\\t\\x01\\x7f' | tojson }} {{ 1e22 | tojson }} {{ 1.0 | tojson }} {{ none | tojson }}
{{ {'a': [1, {'b': []}], 'c': {}} | tojson(indent=2) }} {{ [1, [2]] | tojson(indent=0) }} {{ [1] | tojson(indent='\\t') }} {{ [1, 2] | tojson(separators=(',', ':')) }} {{ {'a': 1} | tojson(indent=1, separators=(' ,', ' :')) }}
{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ 'é😀\\x7f' | tojson(ensure_ascii=true) }} {{ 'é' | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ (1, 2) | tojson }} {{ 'nan' | float | tojson }} {{ -1e400 | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ range(2) | tojson }}
{{ l | map('string') | tojson }}
{{ d.items() | tojson }}
{{ tools | tojson }} {{ messages[2] | tojson(indent=4) }}
{{ big * 4 | int | tojson }} {{ (2 ** 70) | tojson }}
{{ {1: 1, 'a': 2} | tojson(sort_keys=true) }}
## methods of strings
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.capitalize() }} {{ u.upper() }} {{ u.lower() }} {{ u.title() }} {{ u.capitalize() }} {{ 'ǆ ŉa ΰ ᾳβ'.title() }} {{ 'ᾳ ŉ և ẖ ﬃ'.upper() }}
{{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ 'é'.isalpha() }} {{ 'a1'.isalnum() }} {{ '½'.isalnum() }} {{ ' \t'.isspace() }} {{ ''.isspace() }} {{ 'aB'.islower() }} {{ 'AB1'.isupper() }} {{ '1'.isupper() }}
[{{ ws.strip() }}] [{{ ws.lstrip() }}] [{{ ws.rstrip() }}] {{ 'xxaxx'.strip('x') }} {{ 'xyaxy'.lstrip('yx') }} {{ 'a\\n'.rstrip('\\n') }} {{ s.strip(none) }}
{{ s.split() }} {{ s.split('o') }} {{ s.split('o', 1) }} {{ ws.split() }} {{ ws.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a,,b'.split(',') }} {{ 'a b c'.split(maxsplit=1) }} {{ 'a b c'.split(' ', -1) }} {{ 'a  b'.split(' ') }}
{{ s.rsplit('o', 1) }} {{ 'a b c'.rsplit(none, 1) }} {{ ' a b c '.rsplit(maxsplit=1) }} {{ ' a b c '.split(maxsplit=1) }} {{ 'a,b,c'.rsplit(',') }}
{{ s.split('') }}
{{ s.split(1) }}
{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ 'a\\x0bb\\x0cc\\u2028d\\x85e'.splitlines() }} {{ ''.splitlines() }} {{ 'a\\n'.splitlines() }}
{{ ', '.join(ls) }} {{ ''.join(['a']) }} {{ '-'.join('abc') }} {{ ','.join([]) }} {{ ','.join(d) }}
{{ ','.join([1]) }}
{{ ','.join(5) }}
{{ s.replace('l', '_') }} {{ s.replace('l', '_', 1) }} {{ s.replace('', '.') }} {{ ''.replace('', 'x') }} {{ 'aaa'.replace('aa', 'b') }} {{ s.replace('l', '', -1) }}
{{ s.replace('a') }}
{{ s.replace(1, 'a') }}
{{ s.find('o') }} {{ s.find('zz') }} {{ s.find('o', 5) }} {{ s.rfind('o') }} {{ s.index('W') }} {{ u.find('日') }} {{ s.find('') }} {{ s.find('o', -4, -1) }} {{ s.find('', 99) }} {{ s.rfind('') }}
{{ s.index('zz') }}
{{ s.count('l') }} {{ s.count('') }} {{ 'aaaa'.count('aa') }} {{ s.count('l', 3, 5) }}
{{ s.startswith('He') }} {{ s.startswith(('x', 'H')) }} {{ s.endswith('ld') }} {{ s.startswith('W', 6) }} {{ s.endswith('o', 0, 5) }} {{ s.startswith('') }} {{ s.startswith(()) }}
{{ s.startswith(['H']) }}
{{ s.startswith(1) }}
{{ s.startswith(missing) }}
{{ '5'.zfill(3) }} {{ '-5'.zfill(4) }} {{ 'ab'.center(7, '*') }} {{ 'ab'.center(5, '*') }} {{ 'abc'.center(6, '*') }} {{ 'ab'.ljust(4, '.') }}| {{ 'ab'.rjust(4) }}| {{ 'abc'.ljust(2) }}
{{ 'a'.center(5, 'xx') }}
{{ s.partition(' ') }} {{ s.partition('zz') }} {{ s.rpartition('o') }} {{ s.rpartition('zz') }} {{ s.removeprefix('He') }} {{ s.removesuffix('ld') }} {{ s.removeprefix('x') }}
{{ s.nosuch() }}
{{ s.upper(1) }}
{{ s.split(sep='o')[0] }} {{ s.split('o')[-1].strip() }} {{ (s.split(' ') | last).lower() }} {{ s.split().__len__ }}|
{{ messages[1].content.strip() }}|{{ messages[1]['content'].split(',')[0] }}|{{ messages[0].content.replace('<b>', '').upper() }}
## formatting with %
{{ '%s %d %i %d' % ('a', 3, -3, 5.9) }} {{ '%5d|%-5d|%05d|%-05d|%05d' % (1, 2, 3, 4, -5) }} {{ '%%' % () }} {{ '%s%%|' % 'x' }}
{{ '%f %.2f' % (1.5, 2.675) }} {{ '%10.3f|%-10.1f|%010.2f' % (3.14159, 2, -1.5) }} {{ '%.0f' % 0.5 }} {{ '%.0f' % 1.5 }} {{ '%06f' % ('inf' | float) }}
{{ '%5s|%-5s|%.2s|%5.1s' % ('ab', 'ab', 'abc', 'xyz') }} {{ '%s' % none }} {{ '%s' % (none,) }} {{ '%s' % [1, 2] }} {{ '%s' % d }} {{ 'no args' % [] }} {{ 'no args' % {} }} {{ '%d' % true }} {{ '%s' % true }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ 'abc' % 5 }}
{{ '%s' % (1, 2) }}
{{ '%' % 1 }}
## formatting with format
{{ '{} {}'.format(1, 'a') }} {{ '{1} {0}'.format(1, 2) }} {{ '{a} {b}'.format(a=1, b=2) }} {{ '{{}}'.format() }} {{ '{}'.format([1, 'a']) }} {{ '{}'.format(true) }} {{ '{:}'.format(none) }}
{{ '{:5}|{:<5}|{:>5}|{:.2}|{:5.1}|'.format('ab', 'ab', 'ab', 'abc', 'xyz') }} {{ '{:5}|{:05}|{:<5}|{:>5}|{:05d}|{:d}'.format(1, 2, 3, 4, -5, 6) }}
{{ '{:.3f}|{:f}|{:8.2f}|{:08.3f}|{:<8.1f}|{:>8.1f}|{:.0f}'.format(2, 1e16, 3.14159, -3.14159, 2.25, 2.35, 2.5) }} {{ '{}'.format(1e16) }} {{ '{:}'.format(1.0) }}
{{ '{} {0}'.format(1) }}
{{ '{} {}'.format(1) }}
{{ '{a}'.format() }}
{{ '{'.format() }}
{{ '}'.format() }}
## functions
{{ raise_exception('stop <here>') }}
{{ raise_exception() }}
{% if messages[0].role != 'user' %}{{ raise_exception('roles: ' ~ messages[0].role) }}{% endif %}
a\nb\n{{ raise_exception("line " ~ 3) }}
{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %b %Y, %A %j %%') }} {{ strftime_now('') }}|{{ strftime_now('%-d/%-m') }}|{{ strftime_now('%z%Z') }}|{{ strftime_now('é %y') }}
{% set x = namespace %}{{ x(a=1).a }}
## errors of syntax
{{ }}
{{ 1
{% if %}{% endif %}
{% if 1 %}
{% endif %}
{% for x in %}{% endfor %}
{% for in l %}{% endfor %}
{{ 1 + }}
{{ (1 }}
{{ [1 }}
{{ {'a' 1} }}
{{ 'abc }}
{{ a.  }}
{{ a | }}
{{ 1 2 }}
{{ a b }}
{% set %}
{% set x = %}
{% set 1 = 2 %}
{% set x + 1 = 2 %}
{% macro %}{% endmacro %}
{% elif x %}
{% else %}
{% endfor %}
{# unclosed
{% raw %} unclosed
{{ f(a=1, 2) }}
{{ f(a=1, a=2) }}
{{ @ }}
{{ a ? b : c }}
{{ a && b }}
{{ !a }}
{{ 1 if }}
{{ '\\u12' }}
{{ not }}
{{ is }}
{% for x, in l %}{% endfor %}
{{ x.y.z.1.0 }}
{{ [1, 2, 3][1, 2] }}
{{ [1, 2, 3][] }}
{{ l[0, 1] }}
{{ d['a', 'b'] }}
{{ {1: 2}[1] }} {{ {(1, 2): 3}[1, 2] }} {{ 'abc'[1] }} {{ [1, 2][0] }} {{ (1, 2)[1] }} {{ 'a'.upper()[0] }}
}} %} #}
{{ "{{ x }}" }} {% if "%}" %}a{% endif %}
{% if 1 %}a{% else %}b{% else %}c{% endif %}
{{ a.b-c }}
{{ lambda x: x }}
{{ x for x in l }}
{{ 1..2 }}
{{ 0777 }}
{{ 1__0 }}
{{ 1.e5 }}
{{ .5 }}
"""

# What Jinja2 does and Ashlar refuses, and what its message names.
REFUSED = [
    ("{{ d | attr('keys') }}", 'attr'),
    ('{{ s | filesizeformat }}', 'filesizeformat'),
    ('{{ s | forceescape }}', 'forceescape'),
    ("{{ s | groupby('a') }}", 'groupby'),
    ('{{ s | pprint }}', 'pprint'),
    ('{{ s | random }}', 'random'),
    ('{{ s | slice(2) }}', 'slice'),
    ('{{ s | striptags }}', 'striptags'),
    ('{{ s | urlencode }}', 'urlencode'),
    ('{{ s | urlize }}', 'urlize'),
    ('{{ s | wordcount }}', 'wordcount'),
    ('{{ s | wordwrap(5) }}', 'wordwrap'),
    ('{{ s | xmlattr }}', 'xmlattr'),
    ('{{ s.casefold() }}', 'casefold'),
    ("{{ s.encode('utf8') }}", 'encode'),
    ('{{ s.expandtabs() }}', 'expandtabs'),
    ('{{ s.format_map(d) }}', 'format_map'),
    ('{{ s.isascii() }}', 'isascii'),
    ('{{ s.isdecimal() }}', 'isdecimal'),
    ('{{ s.isidentifier() }}', 'isidentifier'),
    ('{{ s.isnumeric() }}', 'isnumeric'),
    ('{{ s.isprintable() }}', 'isprintable'),
    ('{{ s.istitle() }}', 'istitle'),
    ('{{ s.maketrans(d) }}', 'maketrans'),
    ('{{ s.swapcase() }}', 'swapcase'),
    ('{{ s.translate(d) }}', 'translate'),
    ('{{ cycler(1, 2) }}', 'cycler'),
    ("{{ joiner('-') }}", 'joiner'),
    ('{{ lipsum() }}', 'lipsum'),
    ('{{ self.x() }}', 'self'),
    ("{% include 'x' %}", 'include'),
    ("{% import 'x' as y %}", 'import'),
    ("{% from 'x' import y %}", 'from'),
    ("{% extends 'x' %}", 'extends'),
    ('{% block a %}', 'block'),
    ('{% autoescape true %}', 'autoescape'),
    ('{% print s %}', 'print'),
    ('{% for x in l %}{{ loop }}{% endfor %}', 'LoopContext'),
    ('{% macro m() %}{% endmacro %}{{ m }}', 'Macro'),
    ('{{ range }}', 'builtin_function_or_method'),
    ('{{ range(3) == range(3) }}', 'comparing'),
    ('{{ d.keys() < d.keys() }}', 'comparing'),
    ("{{ objs | sort(attribute='v,n') }}", 'several attributes'),
    ("{{ '1f' | int(base=16) }}", 'base'),
    ("{{ '0x1f' | int(0, 0) }}", 'base'),
    ("{{ '\\101' }}", '\\1'),
    ("{{ '\\N{BULLET}' }}", '\\N'),
    ('{{ ünïcode }}', 'ü'),
    ("{{ '%x' % (5, 6) }}", '%x'),
    ("{{ '%+d' % (5, 6) }}", '%+'),
    ("{{ '%e' % (5, 6) }}", '%e'),
    ("{{ '%g' % (5, 6) }}", '%g'),
    ("{{ '%r' % (5, 6) }}", '%r'),
    ("{{ '%c' % (5, 6) }}", '%c'),
    ("{{ '%(a)s' % (5, 6) }}", '%('),
    ("{{ '%*d' % (5, 6) }}", '%*'),
    ("{{ '%.3d' % (5, 6) }}", 'precision'),
    ("{{ '{!r}'.format(5, a=1) }}", '{!r}'),
    ("{{ '{0.a}'.format(5, a=1) }}", '{0.a}'),
    ("{{ '{:x}'.format(5, a=1) }}", "'x'"),
    ("{{ '{:^9}'.format(5, a=1) }}", "'^9'"),
    ("{{ '{:,}'.format(5, a=1) }}", "','"),
    ("{{ '{:{}}'.format(5, a=1) }}", '{:{'),
    ('{{ (5).real }}', 'real'),
    ('{{ (5).bit_length() }}', 'bit_length'),
    ('{{ big * 2 }}', 'beyond 64 bits'),
    ('{{ -big * 2 - 1 }}', 'beyond 64 bits'),
    ('{{ 2 ** 63 }}', 'beyond 64 bits'),
    ('{{ 10 ** 20 }}', 'beyond 64 bits'),
    ('{{ 12345678901234567890 }}', 'beyond 64 bits'),
    ("{{ '12345678901234567890' | int }}", 'beyond 64 bits'),
    ('{{ 1e20 | int }}', 'beyond 64 bits'),
    ('{{ -(-big * 2) }}', 'beyond 64 bits'),
    ('{{ huge + 1 }}', 'beyond 64 bits'),
    ('{{ huge | float }}', 'beyond 64 bits'),
    ('{{ [huge] | sum }}', 'beyond 64 bits'),
]
