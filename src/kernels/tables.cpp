// Which kernel tables exist, and which one to use.
#include "kernels/table.h"

#include <array>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "kernels/implementations.h"

namespace ashlar::kernels {
namespace {

/// `upper` where it has an entry, `lower` elsewhere.
Table over(const Table& upper, const Table& lower) {
  Table t = upper;
  const auto inherit = [](auto& mine, auto theirs) {
    if (!mine) mine = theirs;
  };
  inherit(t.product_forms, lower.product_forms);
  inherit(t.activation_bytes, lower.activation_bytes);
  inherit(t.prepare, lower.prepare);
  inherit(t.prepare_group, lower.prepare_group);
  inherit(t.matmul_scratch, lower.matmul_scratch);
  inherit(t.matmul, lower.matmul);
  inherit(t.panel_rows, lower.panel_rows);
  inherit(t.panel_bytes, lower.panel_bytes);
  inherit(t.pack_panels, lower.pack_panels);
  inherit(t.rms_norm, lower.rms_norm);
  inherit(t.layer_norm, lower.layer_norm);
  inherit(t.gated, lower.gated);
  inherit(t.unary, lower.unary);
  inherit(t.add, lower.add);
  inherit(t.multiply, lower.multiply);
  inherit(t.scale, lower.scale);
  inherit(t.add_scaled, lower.add_scaled);
  inherit(t.softcap, lower.softcap);
  inherit(t.softmax, lower.softmax);
  inherit(t.rope, lower.rope);
  inherit(t.store, lower.store);
  inherit(t.state_page, lower.state_page);
  inherit(t.attention_scratch, lower.attention_scratch);
  inherit(t.attention, lower.attention);
  inherit(t.merge_attention, lower.merge_attention);
  return t;
}

}  // namespace

// A further instruction set is one file with its namespace and target
// region, one line in implementations.h, and one line here, after the tables it improves on.
std::span<const Table* const> tables() {
  static const Table generic_table = generic::kTable;
#if defined(__x86_64__)
  static const Table avx2_table = over(avx2::kTable, generic_table);
  static const Table avx512_table = over(avx512::kTable, avx2_table);
  static const Table amx_table = over(amx::kTable, avx512_table);
  static const std::array all = {&generic_table, &avx2_table, &avx512_table, &amx_table};
#elif defined(__aarch64__)
  static const Table neon_table = over(neon::kTable, generic_table);
  static const Table neon_dot_table = over(neon_dot::kTable, neon_table);
  static const std::array all = {&generic_table, &neon_table, &neon_dot_table};
#else
  static_cast<void>(over);
  static const std::array all = {&generic_table};
#endif
  return all;
}

const Table& table(std::string_view name) {
  if (name.empty()) {
    const char* wanted = std::getenv("ASHLAR_KERNELS");
    if (wanted) name = wanted;
  }
  if (name.empty()) {
    const Table* best = tables().front();
    for (const Table* t : tables())
      if (t->supported()) best = t;
    return *best;
  }
  std::string known;
  for (const Table* t : tables()) {
    if (t->name == name) {
      if (t->supported()) return *t;
      fail(ErrorKind::unsupported, "kernels '{}': this CPU cannot run them; leave the choice open",
           name);
    }
    known += known.empty() ? "" : ", ";
    known += t->name;
  }
  fail(ErrorKind::invalid, "kernels '{}': expected one of {}", name, known);
}

}  // namespace ashlar::kernels
