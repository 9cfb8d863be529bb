#!/bin/sh
# Looks for code that escaped from the kernels' target regions: a weak (inline or template) function in the object
# of an instruction set could be the copy the linker keeps for the whole program, and crash an older CPU.
#   tools/check_isa_symbols.sh BUILD_DIRECTORY
set -eu
build=${1:?usage: tools/check_isa_symbols.sh BUILD_DIRECTORY}
status=0
checked=0
for object in $(find "$build" -path '*src/kernels/avx*.cpp.o' -o -path '*src/kernels/amx*.cpp.o'); do
  checked=$((checked + 1))
  weak=$(nm -C --defined-only "$object" | grep -E ' [WVu] ' | grep -vE ' [WVu] (DW\.ref\.|ashlar::kernels::(avx2|avx512|amx)::)' || true)
  [ -z "$weak" ] && continue
  # Weak functions live in sections of their own; baseline code has no VEX-coded (v...) instruction.
  leaks=$(objdump -d "$object" | awk '/^Disassembly of section/ { weak = ($4 != ".text:" && $4 !~ /^\.text\.(unlikely|startup|hot)/) }
    weak && /^[0-9a-f]+ </ { name = $2 } weak && /\tv[a-z]/ { print name }' | sort -u)
  [ -z "$leaks" ] && continue
  echo "$object: weak functions with instructions of their target region:" >&2
  echo "$leaks" | c++filt >&2
  status=1
done
if [ "$checked" -eq 0 ]; then
  echo "check_isa_symbols: no kernel objects under $build" >&2
  exit 2
fi
[ "$status" -eq 0 ] && echo "check_isa_symbols: $checked objects, no escaped code"
exit "$status"
