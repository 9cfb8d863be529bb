#!/bin/sh
# clang-tidy over the product's sources, with the checks of .clang-tidy. Nothing is built: the headers that builds
# compile once are read as they are.
#   tools/check_tidy.sh [FILE...]
cd "$(dirname "$0")/.." || exit 1
cmake --preset clang -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null || exit 1
[ $# -gt 0 ] || set -- $(find src apps -name '*.cpp' -not -path 'src/kernels/*')
printf '%s\n' "$@" | xargs -P 2 -n 4 clang-tidy -p build/tidy --quiet
