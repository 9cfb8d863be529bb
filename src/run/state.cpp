// Allocation of pages, and what a window has already let go.
#include "run/state.h"

#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace ashlar {

void StatePool::Free::operator()(std::byte* p) const { std::free(p); }

StatePool::StatePool(const std::vector<StatePlan>& states, Format format, int64_t context,
                     int64_t step, int64_t sequences)
    : format_(format), sequences_(static_cast<size_t>(sequences)) {
  constexpr int64_t kMostBytes = int64_t{1} << 46;  // what an address can reach
  bool fits = true;
  for (const StatePlan& s : states) {
    const int64_t tokens = s.spec.paged_tokens(context, step);
    Place p{.spec = s.spec, .offset = sequence_bytes_, .slots = tokens / StateSpec::kStatePage};
    const int64_t page_tokens = StateSpec::kStatePage;
    p.page_bytes = row_bytes(format, s.spec.width()) * page_tokens;
    p.value_offset = s.latent ? 0 : row_bytes(format, s.heads * s.k_dim) * page_tokens;
    int64_t bytes = 0;
    fits = fits && !__builtin_mul_overflow(p.slots, p.page_bytes, &bytes) &&
           !__builtin_add_overflow(sequence_bytes_, bytes, &sequence_bytes_);
    p.fixed_offset = sequence_bytes_;
    fits = fits &&
           !__builtin_add_overflow(sequence_bytes_, fixed_state_bytes(s.spec), &sequence_bytes_);
    places_.push_back(p);
  }
  int64_t total = 0;
  fits = fits && !__builtin_mul_overflow(sequence_bytes_, sequences, &total) && total < kMostBytes;
  if (fits && total > 0) {
    // Pages of the system, zero and not yet there: a sequence that stays short costs little.
    void* block = nullptr;
    const auto rounded = static_cast<size_t>((total + 4095) / 4096 * 4096);
    block = std::aligned_alloc(4096, rounded);
    data_.reset(static_cast<std::byte*>(block));
    fits = block != nullptr;
    for (Sequence& sequence : sequences_) sequence.touched = true;  // memory may have been used
  }
  if (!fits) {
    fail(ErrorKind::resource,
         "keys and values of {} sequences of {} tokens do not fit into memory ({} bytes each): "
         "choose a smaller --context",
         sequences, context, sequence_bytes_);
  }
}

std::optional<int32_t> StatePool::open() {
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].open) continue;
    sequences_[i].open = true;
    clear(static_cast<int32_t>(i));
    return static_cast<int32_t>(i);
  }
  return std::nullopt;
}

void StatePool::clear(int32_t sequence) {
  Sequence& s = at(sequence);
  for (size_t i = 0; s.touched && i < places_.size(); ++i) {
    if (const auto bytes = static_cast<size_t>(places_[i].spec.fixed) * sizeof(float); bytes > 0)
      std::memset(fixed(static_cast<int32_t>(i), sequence), 0, bytes);
  }
  s = {.open = s.open};
}

void StatePool::close(int32_t sequence) { at(sequence).open = false; }

bool StatePool::is_open(int32_t sequence) const {
  return sequence >= 0 && static_cast<size_t>(sequence) < sequences_.size() && at(sequence).open;
}

void StatePool::extend(int32_t sequence, int64_t tokens) {
  Sequence& s = at(sequence);
  s.length += tokens;
  s.touched = s.touched || tokens > 0;
  s.written = std::max(s.written, s.length);
}

bool StatePool::can_truncate(int32_t sequence, int64_t length) const {
  const Sequence& s = at(sequence);
  if (length < 0 || length > s.length) return false;
  if (length == s.length || length == 0) return true;
  const int64_t newest = (s.written - 1) / StateSpec::kStatePage;
  for (const Place& p : places_) {
    if (p.spec.fixed > 0) return false;
    // The next token's query sees this position and later ones.
    int64_t needed = 0;
    if (p.spec.window > 0) needed = std::max(needed, length - p.spec.window + 1);
    if (p.spec.chunk > 0) needed = std::max(needed, length / p.spec.chunk * p.spec.chunk);
    if (needed < length && needed / StateSpec::kStatePage <= newest - p.slots) return false;
  }
  return true;
}

void StatePool::truncate(int32_t sequence, int64_t length) {
  if (length == 0)
    clear(sequence);
  else
    at(sequence).length = length;
}

}  // namespace ashlar
