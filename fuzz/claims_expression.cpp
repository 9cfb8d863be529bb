// Expressions of claims that nobody vouches for: they have a value or fail with an Error, and so do
// texts with expressions in braces.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "readings/claims/claims_expression.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ashlar::Json kNames = {{"a", {{"b", 3}, {"list", {1, 2.5, -4}}, {"name", "x"}}},
                                      {"n", 7},
                                      {"yes", true},
                                      {"none", nullptr}};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    ashlar::evaluate_expression(bytes, kNames, "fuzz");
  } catch (const ashlar::Error&) {
  }
  try {
    ashlar::fill_template(bytes, kNames, "fuzz");
  } catch (const ashlar::Error&) {
  }
  return 0;
}
