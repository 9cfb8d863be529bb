// Bytes of states: one place for the pool that allocates them and for all who foretell it.
#include "plan/state_plan.h"

#include <algorithm>

namespace ashlar {
namespace {

constexpr int64_t kPage = StateSpec::kStatePage;

}  // namespace

int64_t StateRoom::pages(int64_t each) const {
  const int64_t whole = sequences * each;
  return tokens > 0 ? std::min(whole, (tokens + kPage - 1) / kPage) : whole;
}

int64_t fixed_state_bytes(const StateSpec& spec) { return (spec.fixed * 4 + 63) / 64 * 64; }

int64_t live_state_bytes(const StateSpec& spec, Format rows, int64_t context) {
  return spec.live_tokens(context) *
             (row_bytes(rows, spec.key_width) + row_bytes(rows, spec.value_width)) +
         spec.fixed * 4;
}

int64_t allocated_state_bytes(const StateSpec& spec, Format rows, const StateRoom& room) {
  const int64_t row = row_bytes(rows, spec.key_width) + row_bytes(rows, spec.value_width);
  const int64_t pages = room.pages(spec.paged_tokens(room.context, room.step) / kPage);
  return pages * kPage * row + room.sequences * fixed_state_bytes(spec);
}

}  // namespace ashlar
