#!/bin/sh
# Builds the fuzz targets (clang, sanitizers) and runs each for some seconds, two at a time; ends with an error if one
# finds something.
#   tools/fuzz.sh [SECONDS_PER_TARGET] [TARGET...]     default 10 seconds, every target of fuzz/
# What a target has learned is kept in build/asan/corpus/TARGET; a finding is left in build/asan.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-10}
[ $# -gt 0 ] && shift
cd "$root"
[ $# -gt 0 ] || set -- $(ls fuzz/*.cpp | sed 's|fuzz/\(.*\)\.cpp|\1|')
build=$root/build/asan
if [ -z "${FUZZ_ONE:-}" ]; then
  cmake --preset asan >/dev/null
  cmake --build "$build" --target $(printf 'fuzz_%s ' "$@")
  export FUZZ_ONE=yes
  printf '%s\n' "$@" | xargs -P 2 -I '{}' sh "$root/tools/fuzz.sh" "$seconds" '{}'
  exit
fi
target=$1
corpus=$build/corpus/$target
mkdir -p "$corpus"
seeds=
case $target in
  chat_template) seeds=tests/text/templates ;;
  tokenizer_json) seeds=tests/text/tokenizers ;;
  config_json) seeds=tests/families/published ;;
  blueprint_json) seeds=blueprints ;;
  graph_text) seeds=tests/snapshots ;;
  claims_expression) seeds=claims ;;
  gguf | safetensors) seeds=tests/golden/formats ;;
esac
cd "$build"
"./fuzz_$target" -max_total_time="$seconds" -max_len=16384 -timeout=60 -rss_limit_mb=4096 \
    -print_final_stats=1 -verbosity=0 "$corpus" ${seeds:+"$root/$seeds"} 2>"fuzz_$target.log" || {
  tail -n 40 "$build/fuzz_$target.log" >&2
  echo "fuzz_$target found something: see $build" >&2
  exit 255  # ends xargs
}
echo "fuzz_$target: $seconds seconds," \
  "$(sed -n 's/^stat::number_of_executed_units: *//p' "fuzz_$target.log") inputs," \
  "$(sed -n 's/^stat::new_units_added: *//p' "fuzz_$target.log") kept"
