// Blueprint files that nobody vouches for: what is read is written and read again as the same, and
// differs from itself nowhere.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "blueprint/blueprint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const ashlar::Blueprint blueprint = ashlar::blueprint_from_json(bytes, "fuzz");
    const std::string json = ashlar::to_json(blueprint);
    const ashlar::Blueprint again = ashlar::blueprint_from_json(json, "again");
    if (!(again == blueprint) || ashlar::to_json(again) != json) std::abort();
    if (!ashlar::diff(blueprint, again).empty()) std::abort();
  } catch (const ashlar::Error&) {
  }
  return 0;
}
