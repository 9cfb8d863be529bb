// config.json files that nobody vouches for: they become a blueprint that its own JSON gives back,
// or fail with an Error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "blueprint/blueprint.h"
#include "families/family.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const ashlar::Read read = ashlar::read_config(ashlar::parse_json(bytes, "fuzz"), "fuzz");
    const std::string json = ashlar::to_json(read.blueprint);
    if (!(ashlar::blueprint_from_json(json, "again") == read.blueprint)) std::abort();
  } catch (const ashlar::Error&) {
  }
  return 0;
}
