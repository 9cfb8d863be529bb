// Claims: what the literature says of these architectures, settled by computation.
//
//   for (const ashlar::Claim& c : ashlar::settle_claims({"kimi-k2-active"})) c.verdict;   // holds
//
// A claim is a data file claims/<id>.json (docs/claims.md): the statement, where it is said, the
// readings that settle it, and verdicts with the conditions under which each is given. Numbers are
// computed at each call; only measured speeds are stored, with machine and date.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace ashlar {

struct Claim {
  std::string id, statement;
  std::string source;     // where it is said
  std::string verdict;    // holds, holds-if, fails, undecided, open
  std::string condition;  // holds-if: when; fails: what is right; undecided: what was found; open:
                          // what would settle it
  Json found;             // numbers by name, in the order of the file
  std::vector<std::string> models;  // that the readings name, each once
};

/// A speed of a released model's shape on random weights.
struct Measurement {
  std::string model, weights;  // "qwen3-0.6b", "q4_0"
  std::string machine, date;
  int threads = 0;
  double prefill = 0, decode = 0;  // tokens per second
};

std::vector<std::string> claim_ids();

/// The claims of these ids, all for none. Throws Error(invalid) for an unknown id, Error(format)
/// for a file that is wrong.
std::vector<Claim> settle_claims(const std::vector<std::string>& ids = {});

/// Experiments (docs/lab.md) whose stored results a claim reads. Throws Error(invalid) for an
/// unknown id.
std::vector<std::string> claim_experiments(const std::string& id);

/// What the claims' readings of kind "measured" want: models and weights, without speeds.
std::vector<Measurement> wanted_measurements(const std::vector<std::string>& ids = {});
/// Stored speeds: $XDG_CACHE_HOME/ashlar/measured.json if there is one, else claims/measured.json.
std::vector<Measurement> stored_measurements();
std::filesystem::path measurements_file();  // where --measure keeps them
std::string measurements_json(const std::vector<Measurement>& measurements);

/// [{"id", "statement", "source", "verdict", "condition", "found": {...}}, ...]
std::string claims_json(const std::vector<Claim>& claims);
std::string claims_text(const std::vector<Claim>& claims);
std::string claims_html(const std::vector<Claim>& claims);

}  // namespace ashlar
