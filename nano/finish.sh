#!/bin/sh
# Of a finished run what the repository holds: ashlar-nano.gguf, log.jsonl, curve.svg, corpus.json, the numbers of README.md.
#   nano/finish.sh FOLDER RUN      FOLDER: of nano/make.sh, with prose/ and data/; ASHLAR names the program
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$1 run=$2
ashlar=${ASHLAR:-$root/build/release/ashlar}
"$ashlar" convert "$run/model" "$root/nano/ashlar-nano.gguf" --weights q8_0
cp "$work/prose/manifest.json" "$root/nano/corpus.json"
# Every tenth step, and those that evaluate.
python3 - "$run/log.jsonl" "$root/nano/log.jsonl" <<'END'
import json, sys
with open(sys.argv[2], "w") as out:
    for line in open(sys.argv[1]):
        record = json.loads(line)
        if record["step"] % 10 == 0 or record["step"] == 1 or "validation_loss" in record:
            out.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in record.items()}) + "\n")
END
python3 "$root/tools/curve_svg.py" "$run/log.jsonl" "$root/nano/curve.svg" "ashlar-nano: loss in nats per token"
# Bits per byte on 16,000 tokens of the held-out documents: they are the same for every tokenizer.
rows=
for model in "$root/nano/ashlar-nano.gguf" "$root/models/smollm2-135m-instruct-q4_1.gguf" \
  "$root/models/gemma-3-270m-q4_k_m.gguf"; do
  [ -e "$model" ] || { echo "$model is not there: tools/get_models.sh fetches it" >&2; continue; }
  name=$(basename "$model" .gguf)
  [ -e "$work/data-$name/manifest.json" ] ||
    "$ashlar" data build "$work/prose/prose.jsonl.gz" -o "$work/data-$name" --tokenizer "$model" --validation 0.02 >/dev/null
  "$ashlar" evaluate "$model" --data "$work/data-$name" --length 256 --tokens 16000 --json >"$work/evaluation-$name.json"
  rows="$rows $work/evaluation-$name.json"
done
# shellcheck disable=SC2086
python3 - "$root/nano/README.md" "$root/nano/log.jsonl" $rows <<'END'
import json, pathlib, re, sys
card = pathlib.Path(sys.argv[1])
last = json.loads(open(sys.argv[2]).read().splitlines()[-1])
lines = [f"Trained on {last['tokens'] / 1e6:.1f} million tokens in {last['step']:,} steps.", "",
         "| model | bits per byte |", "|---|---|"]
for file in sys.argv[3:]:
    name = re.sub(r"^evaluation-|\.json$", "", pathlib.Path(file).name)
    lines.append(f"| {name} | {json.load(open(file))['bits_per_byte']:.3f} |")
text = re.sub(r"(?s)(<!-- numbers -->\n).*?(<!-- end -->)", lambda m: m[1] + "\n".join(lines) + "\n" + m[2], card.read_text())
card.write_text(text)
print("\n".join(lines))
END
