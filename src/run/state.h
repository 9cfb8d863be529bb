// What sequences remember: pages of keys and values in one allocation, of a size that
// ops/state.h computes.
//
// Each sequence has, for each node with a state, StateSpec::paged_tokens of room in pages of
// kStatePage tokens. Page p of the sequence lies in slot p modulo the number of slots: a full state
// has a slot for every page, a window or chunk reuses those that no query can see any more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "plan/plan.h"

namespace ashlar {

class StatePool {
 public:
  /// Throws Error(resource) when memory does not suffice. Bytes are touched when first written.
  StatePool(const std::vector<StatePlan>& states, Format format, int64_t context, int64_t step,
            int64_t sequences);

  std::optional<int32_t> open();
  void close(int32_t sequence);
  bool is_open(int32_t sequence) const;
  int64_t length(int32_t sequence) const { return at(sequence).length; }
  void extend(int32_t sequence, int64_t tokens);
  bool can_truncate(int32_t sequence, int64_t length) const;
  void truncate(int32_t sequence, int64_t length);

  /// First byte of the page that holds the position. A page: keys [heads][kStatePage][k_dim], then
  /// values alike; of a latent state, rows [kStatePage][k_dim].
  std::byte* page(int32_t state, int32_t sequence, int64_t page) const {
    const Place& p = places_[static_cast<size_t>(state)];
    return data_.get() + sequence * sequence_bytes_ + p.offset + page % p.slots * p.page_bytes;
  }
  /// The numbers of fixed size that a state keeps of the sequence: spec.fixed floats, 64-byte
  /// aligned, zero while the sequence is empty. Steps change them in place; they stay where they
  /// are as long as the sequence is open.
  float* fixed(int32_t state, int32_t sequence) const {
    return reinterpret_cast<float*>(data_.get() + sequence * sequence_bytes_ +
                                    places_[static_cast<size_t>(state)].fixed_offset);
  }
  int64_t value_offset(int32_t state) const {
    return places_[static_cast<size_t>(state)].value_offset;
  }
  Format format() const { return format_; }
  int64_t bytes() const { return sequence_bytes_ * static_cast<int64_t>(sequences_.size()); }

 private:
  struct Place {
    StateSpec spec;
    int64_t offset = 0, slots = 0, page_bytes = 0, value_offset = 0;
    int64_t fixed_offset = 0;
  };
  struct Sequence {
    bool open = false;
    int64_t length = 0;
    int64_t written = 0;   // the longest it has been since it was empty
    bool touched = false;  // steps have written its numbers of fixed size since they were zero
  };
  struct Free {
    void operator()(std::byte* p) const;
  };
  void clear(int32_t sequence);
  const Sequence& at(int32_t s) const { return sequences_[static_cast<size_t>(s)]; }
  Sequence& at(int32_t s) { return sequences_[static_cast<size_t>(s)]; }

  Format format_;
  std::vector<Place> places_;
  std::vector<Sequence> sequences_;
  int64_t sequence_bytes_ = 0;
  std::unique_ptr<std::byte, Free> data_;
};

}  // namespace ashlar
