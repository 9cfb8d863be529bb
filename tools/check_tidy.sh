#!/bin/sh
# clang-tidy over the product's sources, with the checks of .clang-tidy; needs the clang preset configured.
#   tools/check_tidy.sh [FILE...]
cd "$(dirname "$0")/.." || exit 1
[ -e build/clang/compile_commands.json ] || cmake --preset clang >/dev/null || exit 1
[ $# -gt 0 ] || set -- $(find src apps -name '*.cpp' -not -path 'src/kernels/*')
printf '%s\n' "$@" | xargs -P 2 -n 4 clang-tidy -p build/clang --quiet
