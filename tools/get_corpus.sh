#!/bin/sh
# Makes a corpus of English prose from Debian packages of documentation and dictionaries, about 115 MB of text with labels:
#   corpus/corpus.jsonl.gz   one document a line: {"text", "domain", "source"}
#   corpus/manifest.json     packages, versions, licences, documents and bytes by domain, SHA-256 of the lines
# Nothing is installed: packages are downloaded (190 MB, removed after) and unpacked aside. For
#   ashlar data build corpus/corpus.jsonl.gz -o data --vocab 4096
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/corpus}
[ -e "$out/manifest.json" ] && { echo "$out is there"; exit 0; }
for command in apt-get dpkg-deb python3; do
  command -v "$command" >/dev/null 2>&1 || { echo "get_corpus.sh: needs Debian's $command" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages=$(python3 - "$root/tools" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import get_corpus
print(*get_corpus.PACKAGES)
END
)
echo "Fetching 190 MB of packages"
# shellcheck disable=SC2086
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root $packages) || { echo "get_corpus.sh: try apt-get update first" >&2; exit 1; }
for package in "$work"/*.deb; do
  name=$(dpkg-deb -f "$package" Package)
  dpkg-deb -f "$package" Version >"$work/${name}_.version"
  dpkg-deb -x "$package" "$work/$name"
  rm "$package"
done
python3 "$root/tools/get_corpus.py" "$work" "$out"
