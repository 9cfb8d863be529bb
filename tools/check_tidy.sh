#!/bin/sh
# clang-tidy over the product's sources, with the checks of .clang-tidy, in groups (tools/unity.py) so that headers are
# read once for many files. Nothing is built: the headers that builds compile once are read as they are.
#   tools/check_tidy.sh [FILE...]
cd "$(dirname "$0")/.." || exit 1
group=ON
[ $# -gt 0 ] && group=OFF
cmake --preset clang -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DASHLAR_UNITY=$group >/dev/null || exit 1
[ $# -gt 0 ] || set -- $(python3 - <<'EOF'
import json, re
files = {e["file"] for e in json.load(open("build/tidy/compile_commands.json"))}
print(*sorted(f for f in files if re.search(r"/(src|apps)/|/build/tidy/unity/(?!test_)", f) and "/src/kernels/" not in f))
EOF
)
printf '%s\n' "$@" | xargs -P 2 -n 1 clang-tidy -p build/tidy --quiet
