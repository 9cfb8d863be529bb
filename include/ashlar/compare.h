// Compare: how architectures differ, in words, in numbers, and over context and batch.
//
//   const std::vector<ashlar::Blueprint> two = {ashlar::Blueprint::load("olmo-2-7b"),
//                                               ashlar::Blueprint::load("qwen3-8b")};
//   std::cout << ashlar::comparison_text(ashlar::compare(two));
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ashlar/difference.h"
#include "ashlar/predict.h"

namespace ashlar {

struct CompareOptions {
  int64_t context = 4096;  // tokens remembered, of the table
  std::string weights = "bf16";
  Format state = Format::f16;
  std::optional<Machine> machine;  // whose speed is planned; none: no speeds
  bool curves = true;
};

/// What each model says about one topic.
struct Statement {
  std::string topic;               // "norms", "attention", "reach", ...
  std::vector<std::string> words;  // one per model, in their order
  bool same = false;
};

/// One line of the table of sizes.
struct SizeRow {
  std::string name;            // "parameters"
  std::string unit;            // "", "bytes", "FLOPs", "tokens/s", "seconds"
  std::vector<double> values;  // one per model; NaN: unknown
};

/// One context of one model, or one batch.
struct CurvePoint {
  int64_t context = 0;
  int64_t sequences = 1;
  double state_bytes = 0;
  double memory_bytes = 0;       // weights, state and activations
  double seconds_per_token = 0;  // of one sequence, at the machine's limit; 0: no machine
  double tokens_per_second = 0;  // of all sequences
};

struct Curves {
  std::string model;
  std::vector<CurvePoint> over_context;  // one sequence, 1024, 2048, ... up to what it was made for
  std::vector<CurvePoint> over_batch;    // 1, 2, 4, ... 256 sequences of `context` tokens
};

/// A field of the blueprint that is not as in the first model.
struct FieldDifference {
  std::string model;
  Difference difference;
};

struct Comparison {
  std::vector<std::string> models;
  CompareOptions options;
  std::vector<Statement> statements;
  std::vector<SizeRow> sizes;
  std::vector<Curves> curves;
  std::vector<FieldDifference> fields;
};

std::string comparison_text(const Comparison& comparison);
/// docs/json.md lists the fields.
std::string comparison_json(const Comparison& comparison);
/// The curves, one line per point.
std::string comparison_csv(const Comparison& comparison);
/// The curves as plots.
std::string comparison_svg(const Comparison& comparison);

}  // namespace ashlar

namespace ASHLAR_V1 {

/// Throws Error(invalid) for fewer than two blueprints, or options out of range. Any number of
/// threads may compare at a time.
Comparison compare(std::span<const Blueprint> blueprints, const CompareOptions& options = {});

}  // namespace ASHLAR_V1
