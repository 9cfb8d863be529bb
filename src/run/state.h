// What sequences remember: pages of keys and values with a table per sequence, and numbers of fixed
// size, in one allocation whose size plan/state_plan.h computes.
//
// States that let go of the same positions share a group: one page number of a group stands for
// kStatePage tokens in all of its states. Sequences may share pages, which carry reference counts;
// a step writes only pages of its own (copy on write). Page p of a sequence stands in entry p
// modulo the table's length: a full state has an entry for every page, a window or chunk reuses
// those that no query can see any more.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/mapped_memory.h"
#include "kernels/table.h"
#include "plan/state_plan.h"

namespace ashlar {

/// Not safe to change from two threads; between changes, any number may read.
class StatePool {
 public:
  /// Throws Error(resource) when memory does not suffice. Bytes are touched when first written.
  StatePool(const std::vector<StatePlan>& states, Format format, const StateRoom& room,
            const kernels::Table& table);

  std::optional<int32_t> open();
  void close(int32_t sequence);
  bool is_open(int32_t sequence) const;
  int64_t length(int32_t sequence) const { return at(sequence).length; }
  /// A new sequence that holds the same tokens: pages are shared, numbers of fixed size copied.
  /// Nothing when no more sequences may be open.
  std::optional<int32_t> fork(int32_t sequence);
  bool can_truncate(int32_t sequence, int64_t length) const;
  void truncate(int32_t sequence, int64_t length);

  /// `tokens` that are to be appended to a sequence.
  struct Growth {
    int32_t sequence = 0;
    int64_t tokens = 0;
  };
  /// Are there pages for all of it, in steps of up to room.step tokens? If need be, windows give up
  /// what only truncate could still ask for. True holds until anything but prepare and extend is
  /// called.
  bool reserve(std::span<const Growth> growth);
  /// Gives the sequence pages of its own for its next `tokens`, which must have been reserved.
  void prepare(int32_t sequence, int64_t tokens);
  /// The tokens have been evaluated.
  void extend(int32_t sequence, int64_t tokens);
  /// They have not, and what of fixed size may have been changed on the way is lost: a sequence
  /// that has such numbers is empty then.
  void abandon(int32_t sequence);

  /// First byte of the page of a state of rows that holds positions page * kStatePage and on, which
  /// layout() describes.
  std::byte* page(int32_t state, int32_t sequence, int64_t page) const {
    const Place& p = places_[static_cast<size_t>(state)];
    const Group& g = groups_[p.group];
    return g.data + g.tables[g.entry(sequence, page)] * g.page_bytes + p.offset;
  }
  const kernels::StatePage& layout(int32_t state) const {
    return places_[static_cast<size_t>(state)].layout;
  }
  /// The numbers of fixed size that a state keeps of the sequence: spec.fixed floats, 64-byte
  /// aligned, zero while the sequence is empty. Steps change them in place; they stay where they
  /// are as long as the sequence is open.
  float* fixed(int32_t state, int32_t sequence) const {
    return reinterpret_cast<float*>(memory_.data() + sequence * fixed_bytes_ +
                                    places_[static_cast<size_t>(state)].fixed_at);
  }
  Format format() const { return format_; }
  int64_t bytes() const { return bytes_; }
  /// Pages that sequences hold, each counted once however many share it, and all there are; of all
  /// groups.
  struct Pages {
    int64_t held = 0, all = 0;
  };
  Pages pages() const;

 private:
  struct Place {           // of a state
    int64_t fixed_at = 0;  // in a sequence's numbers of fixed size
    size_t group = 0;
    int64_t offset = 0;  // in its group's page
    kernels::StatePage layout;
  };
  struct Held {  // pages first .. end - 1 of a sequence
    int64_t first = 0, end = 0;
  };
  struct Group {
    int64_t window = 0, chunk = 0;
    int64_t slots = 0;  // entries of a sequence's table: most pages it ever holds
    int64_t page_bytes = 0;
    bool covers_all = false;  // there are pages for every entry of every table: none ever lacks
    std::byte* data = nullptr;
    std::vector<int32_t> tables;  // [sequences, slots]: page numbers
    std::vector<Held> held;       // by sequence
    std::vector<int32_t> users;   // by page: sequences that hold it
    std::vector<int32_t> free;    // pages that nobody holds

    size_t entry(int32_t sequence, int64_t page) const {
      return static_cast<size_t>(sequence * slots + page % slots);
    }
    /// The first position that a query at `position` or any later one sees.
    int64_t seen_from(int64_t position) const;
    void release(int32_t sequence, int64_t page);
    void release_before(int32_t sequence, int64_t page);
    void release_from(int32_t sequence, int64_t page);
    int64_t need(int32_t sequence, int64_t length, int64_t tokens) const;
    void own(int32_t sequence, int64_t page);
    void append(int32_t sequence);
  };
  struct Sequence {
    bool open = false;
    bool touched = false;  // numbers of fixed size are no longer the zeros of the start
    int64_t length = 0;
  };
  void clear(int32_t sequence);
  const Sequence& at(int32_t s) const { return sequences_[static_cast<size_t>(s)]; }
  Sequence& at(int32_t s) { return sequences_[static_cast<size_t>(s)]; }

  Format format_;
  std::vector<Place> places_;
  std::vector<Group> groups_;
  std::vector<Sequence> sequences_;
  int64_t fixed_bytes_ = 0;  // of one sequence
  int64_t bytes_ = 0;
  MappedMemory memory_;  // numbers of fixed size by sequence, then pages by group
};

}  // namespace ashlar
