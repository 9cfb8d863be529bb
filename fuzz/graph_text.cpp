// Texts of graphs that nobody vouches for: a graph that is read is written and read again as the
// same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "graph/text.h"
#include "ops/all.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const ashlar::Graph graph = ashlar::parse_graph(bytes, ashlar::make_op);
    const std::string text = graph.text();
    if (ashlar::parse_graph(text, ashlar::make_op).text() != text) std::abort();
  } catch (const ashlar::Error&) {
  }
  return 0;
}
