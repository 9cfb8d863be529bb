// What an engine keeps of sequences: the layout of each node's state and how many bytes it takes.
#pragma once

#include <cstdint>

#include "ops/state.h"
#include "tensor/format.h"

namespace ashlar {

/// What a node remembers of each sequence. A state of rows per token has heads, k_dim and v_dim;
/// one of fixed size has spec.fixed float32 numbers in one piece, in the order its op chooses.
struct StatePlan {
  StateSpec spec;
  int64_t heads = 1;             // key heads; a page holds head after head
  int64_t k_dim = 0, v_dim = 0;  // numbers of a head's key and value rows
  bool latent = false;  // one row per token: latent, then rotated key; the value is its front
};

/// The sequences that a pool of states has room for.
struct StateRoom {
  int64_t context = 0;    // tokens of the longest sequence
  int64_t step = 0;       // most tokens evaluated at once
  int64_t sequences = 1;  // open at once
  int64_t tokens = 0;     // that all sequences hold together; 0: all their contexts

  /// Pages of StateSpec::kStatePage tokens for states of which a sequence holds at most `each`.
  int64_t pages(int64_t each) const;
};

/// Bytes of one sequence that can still be read after `context` tokens; rows are of format `rows`.
int64_t live_state_bytes(const StateSpec& spec, Format rows, int64_t context);

/// Bytes that a pool allocates for the state, of all sequences.
int64_t allocated_state_bytes(const StateSpec& spec, Format rows, const StateRoom& room);

/// Bytes of a sequence's numbers of fixed size: float32, in whole cache lines.
int64_t fixed_state_bytes(const StateSpec& spec);

}  // namespace ashlar
