#!/bin/sh
# Fails where a C++ file is not as clang-format writes it; --fix writes it so.
cd "$(dirname "$0")/.." || exit 1
mode="--dry-run -Werror"
[ "${1:-}" = --fix ] && mode=-i
# unicode_data.inc is generated.
# shellcheck disable=SC2086
find apps bench fuzz include src tests -name '*.h' -o -name '*.cpp' -o -name '*.inl' | xargs -P 2 -n 40 clang-format $mode
