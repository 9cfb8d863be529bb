// What a trained run knows of the held-out set: its loss, where in a row it lies, answers that are
// right, and what its routers and attention do there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "plan/weights.h"

namespace ashlar::lab {

struct ScoreRequest {
  std::filesystem::path run;                  // folder of a run that has a checkpoint
  std::string answers;                        // .npy beside the validation set, or empty
  int64_t first_choice = 0, last_choice = 0;  // tokens that answers are chosen among; 0, 0: all
  int64_t rows = 0;                           // of the set; 0: all
  int64_t buckets = 8;
  bool bytes = false;  // tokens are bytes of text
  /// .npy beside the validation set: the number of each token's label, from 0; or empty: those of
  /// the data folder, where the run has one.
  std::string domains;
  std::vector<std::string> domain_names;
  std::string beyond;  // .npy of rows longer than the trained ones; or empty
};

/// On one thread, in float32, from the newest checkpoint. Fields:
///   loss, predicted, rows; bits_per_byte where the text is known
///   by_position [buckets]           loss by the place of the predicted token in its row
///   answers {count, accuracy, loss, by_difficulty {difficulty: {count, accuracy, loss}}}
///   loads {router: [share of each expert, mean 1]}
///   max_logit {layer: largest attention score before the softmax, over the first rows}
///   by_domain {label: {predicted, loss}}  where tokens have labels
///   beyond {length, loss, by_position}    of the longer rows; loss: of what lies beyond the length
///                                         of the trained ones
///   decode {context, tokens_per_second, state_bytes}   at the rows' length
///   ahead {predicted, loss, acceptance}   of runs that train that layer
///   router_drift {from, to, changed}      of runs that keep checkpoints; all three: score_parts.h
///   loss_without_shared             with shared experts silent
/// Throws Error.
Json score(const ScoreRequest& request);

/// What a checkpoint's folder (train/checkpoint.h) has of these parameters. Throws Error.
Weights checkpoint_weights(const std::filesystem::path& checkpoint, const Params& params);

/// The forward graph with other outputs:
///   losses      "losses" [tokens], and "load.<scope>" per router
///   logits      these, and "logits" [tokens, vocab] behind the losses
///   attention   "losses", and "q.<scope>", "k.<scope>" of attention
///   choices     per router what it chooses, [tokens, chosen], named by its scope; an empty graph
///               where there are no routers
enum class Scored : uint8_t { losses, logits, attention, choices };
Graph scoring_graph(const Graph& forward, Scored what);

}  // namespace ashlar::lab
