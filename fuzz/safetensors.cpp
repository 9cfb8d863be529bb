// Fuzzing the safetensors reader: whatever the bytes, it ends in a checkpoint or in an Error.
#include "formats/safetensors.h"

#include "base/error.h"
#include "memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ashlar::MemoryFile file(data, size);
  if (!file.whole()) return 0;
  try {
    const auto checkpoint = ashlar::SafetensorsFolder::open(file.path());
    for (const auto& [name, entry] : checkpoint->entries()) {
      try {
        (void)ashlar::to_f32(checkpoint->tensor(name));
      } catch (const ashlar::Error&) {
      }
    }
  } catch (const ashlar::Error&) {
  }
  return 0;
}
