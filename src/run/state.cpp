// Pages: who holds them, who gets them, and what a window has let go.
#include "run/state.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr int64_t kPage = StateSpec::kStatePage;

int64_t pages_of(int64_t tokens) { return (tokens + kPage - 1) / kPage; }

/// Adds a * b; false when that passes what an address can reach.
bool add_bytes(int64_t& sum, int64_t a, int64_t b) {
  constexpr int64_t kMost = int64_t{1} << 46;
  int64_t product = 0;
  return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(sum, product, &sum) &&
         sum < kMost;
}

}  // namespace

StatePool::StatePool(const std::vector<StatePlan>& states, Format format, const StateRoom& room,
                     const kernels::Table& table)
    : format_(format), sequences_(static_cast<size_t>(room.sequences)) {
  bool fits = true;
  for (const StatePlan& s : states) {
    Place p{.fixed_at = fixed_bytes_};
    fits = fits && add_bytes(fixed_bytes_, fixed_state_bytes(s.spec), 1);
    if (s.spec.width() == 0) {
      places_.push_back(p);
      continue;
    }
    const int64_t block = info(format).block_len;
    for (const int64_t width : {s.k_dim, s.v_dim}) {
      if (width % block != 0) {
        fail(ErrorKind::invalid,
             "state {}: keys or values of {} numbers, expected a multiple of {}: choose another "
             "`state`",
             info(format).name, width, block);
      }
    }
    const auto same = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) {
      return g.window == s.spec.window && g.chunk == s.spec.chunk;
    });
    p.group = static_cast<size_t>(same - groups_.begin());
    if (same == groups_.end()) {
      groups_.push_back({.window = s.spec.window,
                         .chunk = s.spec.chunk,
                         .slots = s.spec.paged_tokens(room.context, room.step) / kPage});
    }
    p.layout = table.state_page({.format = format,
                                 .heads = s.heads,
                                 .k_dim = s.k_dim,
                                 .v_dim = s.v_dim,
                                 .latent = s.latent,
                                 .tokens = kPage});
    ASHLAR_ASSERT(p.layout.bytes == row_bytes(format, s.spec.width()) * kPage,
                  "pages are of the size that plans state");
    p.offset = groups_[p.group].page_bytes;
    groups_[p.group].page_bytes += p.layout.bytes;
    places_.push_back(p);
  }
  fits = fits && add_bytes(bytes_, fixed_bytes_, room.sequences);
  std::vector<int64_t> begins, pages;
  for (const Group& g : groups_) {
    begins.push_back(bytes_);
    pages.push_back(room.pages(g.slots));
    fits = fits && pages.back() <= INT32_MAX && add_bytes(bytes_, pages.back(), g.page_bytes);
  }
  if (fits && bytes_ > 0) {
    memory_ = MappedMemory(bytes_);
    fits = static_cast<bool>(memory_);
  }
  if (!fits) {
    fail(ErrorKind::resource,
         "the state of {} sequences of {} tokens does not fit into memory: choose a smaller "
         "`context`",
         room.sequences, room.context);
  }
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& g = groups_[i];
    g.data = memory_.data() + begins[i];
    g.tables.assign(static_cast<size_t>(room.sequences * g.slots), 0);
    g.held.assign(static_cast<size_t>(room.sequences), {});
    g.users.assign(static_cast<size_t>(pages[i]), 0);
    g.free.resize(static_cast<size_t>(pages[i]));
    g.covers_all = pages[i] == room.sequences * g.slots;
    // Taken from the back: the first pages first, so that short sequences touch little memory.
    for (size_t p = 0; p < g.free.size(); ++p)
      g.free[p] = static_cast<int32_t>(g.free.size() - 1 - p);
  }
}

int64_t StatePool::Group::seen_from(int64_t position) const {
  int64_t from = 0;
  if (window > 0) from = std::max(from, position - window + 1);
  if (chunk > 0) from = std::max(from, position / chunk * chunk);
  return from;
}

void StatePool::Group::release(int32_t sequence, int64_t page) {
  const int32_t number = tables[entry(sequence, page)];
  if (--users[static_cast<size_t>(number)] == 0) free.push_back(number);
}

void StatePool::Group::release_before(int32_t sequence, int64_t page) {
  Held& h = held[static_cast<size_t>(sequence)];
  for (; h.first < std::min(page, h.end); ++h.first) release(sequence, h.first);
}

void StatePool::Group::release_from(int32_t sequence, int64_t page) {
  Held& h = held[static_cast<size_t>(sequence)];
  while (h.end > std::max(page, h.first)) release(sequence, --h.end);
}

/// Most pages that the growth takes from the free ones at any time.
int64_t StatePool::Group::need(int32_t sequence, int64_t length, int64_t tokens) const {
  const Held& h = held[static_cast<size_t>(sequence)];
  const int64_t more = std::max<int64_t>(0, pages_of(length + tokens) - h.end);
  const int64_t written = length / kPage;
  const bool copied = tokens > 0 && written >= h.first && written < h.end &&
                      users[static_cast<size_t>(tables[entry(sequence, written)])] > 1;
  if (more == 0) return copied ? 1 : 0;
  int64_t alone = 0;  // pages that are free again when a window lets them go
  for (int64_t p = h.first; p < h.end; ++p)
    alone += users[static_cast<size_t>(tables[entry(sequence, p)])] == 1;
  return std::min(more, slots - alone) + (copied ? 1 : 0);
}

void StatePool::Group::own(int32_t sequence, int64_t page) {
  int32_t& number = tables[entry(sequence, page)];
  if (users[static_cast<size_t>(number)] == 1) return;
  const int32_t copy = free.back();
  free.pop_back();
  std::memcpy(data + copy * page_bytes, data + number * page_bytes,
              static_cast<size_t>(page_bytes));
  --users[static_cast<size_t>(number)];
  users[static_cast<size_t>(copy)] = 1;
  number = copy;
}

void StatePool::Group::append(int32_t sequence) {
  Held& h = held[static_cast<size_t>(sequence)];
  if (h.end - h.first == slots) release(sequence, h.first++);
  const int32_t number = free.back();
  free.pop_back();
  users[static_cast<size_t>(number)] = 1;
  tables[entry(sequence, h.end++)] = number;
}

std::optional<int32_t> StatePool::open() {
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].open) continue;
    sequences_[i].open = true;
    return static_cast<int32_t>(i);
  }
  return std::nullopt;
}

void StatePool::close(int32_t sequence) {
  clear(sequence);
  at(sequence).open = false;
}

bool StatePool::is_open(int32_t sequence) const {
  return sequence >= 0 && static_cast<size_t>(sequence) < sequences_.size() && at(sequence).open;
}

/// Memory that no step has written is the system's zero pages: it is left alone.
void StatePool::clear(int32_t sequence) {
  Sequence& s = at(sequence);
  for (Group& g : groups_) {
    g.release_from(sequence, 0);
    g.held[static_cast<size_t>(sequence)] = {};
  }
  if (s.touched && fixed_bytes_ > 0)
    std::memset(memory_.data() + sequence * fixed_bytes_, 0, static_cast<size_t>(fixed_bytes_));
  s.touched = false;
  s.length = 0;
}

std::optional<int32_t> StatePool::fork(int32_t sequence) {
  const std::optional<int32_t> made = open();
  if (!made) return made;
  Sequence& s = at(*made);
  s.length = at(sequence).length;
  s.touched = at(sequence).touched;
  for (Group& g : groups_) {
    Held h = g.held[static_cast<size_t>(sequence)];
    h.end = std::max(h.first, std::min(h.end, pages_of(s.length)));
    g.held[static_cast<size_t>(*made)] = h;
    for (int64_t p = h.first; p < h.end; ++p) {
      const int32_t number = g.tables[g.entry(sequence, p)];
      g.tables[g.entry(*made, p)] = number;
      ++g.users[static_cast<size_t>(number)];
    }
  }
  if (s.touched && fixed_bytes_ > 0) {
    std::memcpy(memory_.data() + *made * fixed_bytes_, memory_.data() + sequence * fixed_bytes_,
                static_cast<size_t>(fixed_bytes_));
  }
  return made;
}

bool StatePool::reserve(std::span<const Growth> growth) {
  for (Group& g : groups_) {
    if (g.covers_all) continue;
    const auto enough = [&] {
      int64_t need = 0;
      for (const Growth& one : growth)
        need += g.need(one.sequence, length(one.sequence), one.tokens);
      return need <= static_cast<int64_t>(g.free.size());
    };
    if (enough()) continue;
    for (size_t i = 0; i < sequences_.size(); ++i) {
      if (sequences_[i].open)
        g.release_before(static_cast<int32_t>(i), g.seen_from(sequences_[i].length) / kPage);
    }
    if (!enough()) return false;
  }
  return true;
}

void StatePool::prepare(int32_t sequence, int64_t tokens) {
  const int64_t from = length(sequence), to = from + tokens;
  at(sequence).touched = true;
  for (Group& g : groups_) {
    const Held& h = g.held[static_cast<size_t>(sequence)];
    const int64_t written = from / kPage;
    if (written >= h.first && written < h.end) g.own(sequence, written);
    while (h.end < pages_of(to)) g.append(sequence);
  }
}

void StatePool::extend(int32_t sequence, int64_t tokens) { at(sequence).length += tokens; }

void StatePool::abandon(int32_t sequence) {
  if (fixed_bytes_ > 0) clear(sequence);
}

bool StatePool::can_truncate(int32_t sequence, int64_t length) const {
  const Sequence& s = at(sequence);
  if (length < 0 || length > s.length) return false;
  if (length == s.length || length == 0) return true;
  if (fixed_bytes_ > 0) return false;
  return std::all_of(groups_.begin(), groups_.end(), [&](const Group& g) {
    const int64_t needed = g.seen_from(length);  // by the next token
    return needed >= length || needed / kPage >= g.held[static_cast<size_t>(sequence)].first;
  });
}

void StatePool::truncate(int32_t sequence, int64_t length) {
  if (length == 0) {
    clear(sequence);
    return;
  }
  at(sequence).length = length;
  for (Group& g : groups_) {
    g.release_from(sequence, pages_of(length));
    Held& h = g.held[static_cast<size_t>(sequence)];
    if (h.first == h.end) h = {length / kPage, length / kPage};
  }
}

StatePool::Pages StatePool::pages() const {
  Pages p;
  for (const Group& g : groups_) {
    p.all += static_cast<int64_t>(g.users.size());
    p.held += static_cast<int64_t>(g.users.size() - g.free.size());
  }
  return p;
}

}  // namespace ashlar
