#!/bin/sh
# Makes ashlar-nano again: corpus, tokenizer, training, GGUF file, card. About an hour, if nothing else runs.
#   nano/make.sh [FOLDER]      works in FOLDER (default: build/nano); ASHLAR names the program, THREADS how many it takes
# What FOLDER holds already is kept: an interrupted run goes on from its newest checkpoint.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-$root/build/nano}
ashlar=${ASHLAR:-$root/build/release/ashlar}
mkdir -p "$work"
work=$(cd "$work" && pwd)
[ -e "$work/prose/manifest.json" ] || {
  sh "$root/tools/get_corpus.sh" "$work/corpus"
  python3 "$root/nano/prose.py" "$work/corpus" "$work/prose"
}
[ -e "$work/data/manifest.json" ] ||
  "$ashlar" data build "$work/prose/prose.jsonl.gz" -o "$work/data" --vocab 4096 --validation 0.02
cp "$root/nano/run.json" "$root/nano/ashlar-nano.json" "$work/"
if [ ! -e "$work/run/model/config.json" ]; then
  resume=
  [ ! -e "$work/run/run.json" ] || resume=--resume
  # shellcheck disable=SC2086
  "$ashlar" train "$work/run.json" --out "$work/run" --threads "${THREADS:-0}" $resume
fi
sh "$root/nano/finish.sh" "$work" "$work/run"
