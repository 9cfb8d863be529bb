// What a node of the graph remembers of a sequence: derived from its op, for runtime and readings.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "graph/graph.h"

namespace ashlar {

enum class StateKind : uint8_t {
  none,
  full,    // a key and a value row of every token
  window,  // of the last `window` tokens
  chunk,   // of the tokens of the current aligned chunk
  latent,  // one latent row and one rotated key row of every token
  fixed,   // numbers of the sequence as a whole, as many however long it is
};
ASHLAR_NAMES(StateKind, none, full, window, chunk, latent, fixed);

/// Rows per token: keys of key_width and values of value_width numbers (latent: the rotated key and
/// the latent, from which keys and values are made). And numbers that no token owns: a matrix per
/// head, a window of past inputs. They start as zeros, and every token changes them for good, so a
/// sequence that has some cannot go back to a token before its last.
struct StateSpec {
  StateKind kind = StateKind::none;
  int64_t key_width = 0;
  int64_t value_width = 0;
  int64_t window = 0;       // tokens a window holds; 0: no window
  int64_t chunk = 0;        // tokens of an aligned chunk; 0: none
  int64_t naive_width = 0;  // numbers per token if the keys and values of all heads were kept
  int64_t fixed = 0;        // float32 numbers of the whole sequence

  bool operator==(const StateSpec&) const = default;
  int64_t width() const { return key_width + value_width; }
  /// Tokens that can still be seen after `context` tokens of a sequence (a chunk: at most).
  int64_t live_tokens(int64_t context) const;
  /// Numbers that can still be read after `context` tokens of a sequence.
  int64_t live_numbers(int64_t context) const { return live_tokens(context) * width() + fixed; }
  /// Tokens for which a runtime needs room that keeps pages of `page` tokens, holds sequences of up
  /// to `context` tokens and evaluates up to `step` tokens at once.
  int64_t paged_tokens(int64_t context, int64_t step, int64_t page = kStatePage) const;

  static constexpr int64_t kStatePage = 64;
};

/// kind none where the op remembers nothing.
StateSpec state_of(const Op& op, Types inputs);

/// The states of all nodes that have one, in the order of the graph.
struct NodeState {
  NodeId node;
  StateSpec spec;
};
std::vector<NodeState> states_of(const Graph& graph);

}  // namespace ashlar
