// An experiment as a file: what is asked, what would count as an answer, and which runs of training
// are to give it. docs/lab.md says what each key means.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_names.h"
#include "base/json.h"
#include "train/settings.h"

namespace ashlar::lab {

/// What a metric of an arm should be beside another arm's, or beside a number.
enum class Direction : uint8_t { lower, higher, equal };
ASHLAR_NAMES(Direction, lower, higher, equal);

/// Registered before anything runs. With d the difference arm - against of each seed:
///   lower    confirmed where the interval of mean d lies below -size, refuted where it lies above
///   higher   the mirror image
///   equal    confirmed where the interval lies within +-size, refuted where it lies outside
/// and else inconclusive. With by_signs the sign test stands in place of the interval: d of each
/// event of each seed, confirmed where more of them lie beyond -size (size) than not, refuted where
/// fewer do, at 5 %, two-sided.
struct Criterion {
  std::string id, says;
  std::string claim;                 // id of the claim it belongs to; empty: none
  std::string metric, arm, against;  // against: an arm, or "forecast"
  std::optional<double> number;      // in place of another arm
  Direction direction = Direction::lower;
  double size = 0;
  std::optional<double> rate;  // at which both are compared; nothing: each arm at its own best
  bool by_signs = false;
};

/// What is the same in all arms, and what is changed in an arm until it is.
enum class Held : uint8_t { nothing, total, active, body, flops_per_token, state, flops, seconds };
ASHLAR_NAMES(Held, nothing, total, active, body, flops_per_token, state, flops, seconds);

struct Equal {
  Held what = Held::nothing;
  std::string knob;   // a path of the blueprint, "layers", or "tokens"
  std::string to;     // arm whose value the others get
  double within = 0;  // largest relative deviation
};

struct Arm {
  std::string name, about;
  Json change = Json::object();  // of the base blueprint, by paths
  Json run = Json::object();     // of RUN.json, by keys
  std::vector<double> rates;     // its own grid
  std::string knob;              // its own, in place of equal.knob
  std::optional<Equal> equal;    // in place of the experiment's
  double rate_factor = 1;        // the grid of all, times this
};

/// A change of the rows that training reads: so many rows, evenly spread over the run, become one
/// n-gram of 1 to `longest` tokens, repeated. They stand first in their step.
struct Events {
  int64_t count = 0, longest = 13;
  ASHLAR_SETTINGS(count, longest);
};

/// A larger arm is predicted from smaller ones before it runs: lab/forecast.h.
struct Forecast {
  std::string metric;
  Held over = Held::body;  // size of an arm: total, active, body, flops_per_token or flops
  std::vector<std::string> from;
  std::string to;
  std::optional<double> floor;  // what no size goes below; nothing: fitted
  bool entropy = false;         // that of the data is the floor
};

struct Experiment {
  std::filesystem::path file;
  std::string id, title, question, source, hypothesis, cannot_show;
  std::vector<std::string> claims;
  std::vector<Criterion> criteria;
  Json base;                   // of the blueprint: as `model` of a RUN.json
  Json run = Json::object();   // settings of all runs, as in RUN.json
  Json data = Json::object();  // lab/data.h
  Events events;
  std::optional<Forecast> forecast;
  int64_t tokens = 0;
  std::vector<Arm> arms;  // in the file's order
  std::string baseline;
  Equal equal;
  std::vector<double> rates;
  bool all_rates = false;  // every seed at every rate; else only the best one
  std::vector<uint64_t> seeds;
  int64_t noise_seeds = 0;        // of the baseline, at least; the first of them are `seeds`
  int64_t evaluation_rows = 0;    // of the held-out set; 0: all
  int64_t buckets = 8;            // of positions, for the loss by position
  int64_t beyond = 0;             // held-out rows so many times as long are scored too; 0: none
  std::vector<std::string> show;  // metrics of the table

  Json json;                  // the file
  std::string hash;           // of it
  std::string criteria_hash;  // of hypothesis and criteria: registered when the first run begins
  const Arm& arm(const std::string& name) const;
};

/// Throws Error(invalid) that names the key, and for unknown ones the nearest.
Experiment experiment_from_json(const Json& json, const std::filesystem::path& file);

/// A file, or one of those that come with Ashlar (or stand in $ASHLAR_EXPERIMENTS) by its id.
/// Throws Error(io) that names the nearest.
Experiment find_experiment(const std::string& name);
std::vector<std::string> experiment_ids();
/// Ids of a named campaign of those: "default", all that need no corpus, or "quick", the noise,
/// norms, experts without balancing and depth. Nothing for other names.
std::vector<std::string> campaign_ids(const std::string& name);

}  // namespace ashlar::lab
