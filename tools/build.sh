#!/bin/sh
# Configures and builds by a preset of CMakePresets.json:  tools/build.sh PRESET [OPTION OF CMAKE --BUILD...]
# gcc 12 at times writes a precompiled header that it cannot read again ("PCH allocation failure"). Such a header is
# removed, and the build is tried once more.
cd "$(dirname "$0")/.." || exit 1
preset=$1
shift
cmake --preset "$preset" || exit 1
output=$(mktemp)
trap 'rm -f "$output"' EXIT
cmake --build --preset "$preset" "$@" >"$output" 2>&1
status=$?
cat "$output"
grep -q 'PCH allocation failure' "$output" || exit $status
sed -n 's/.* -include \([^ ]*cmake_pch\.hxx\) .*/\1.gch/p' "$output" | sort -u | xargs rm -fv
CCACHE_RECACHE=1 cmake --build --preset "$preset" "$@"
