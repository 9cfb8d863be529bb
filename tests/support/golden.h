// Golden models (tools/golden.py): a checkpoint and what the reference implementation makes of it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/safetensors.h"
#include "model/model.h"
#include "support/paths.h"

namespace ashlar {

namespace fs = std::filesystem;

struct Golden {
  std::string name;
  fs::path folder;  // model/, expected.safetensors, perhaps name.gguf
  std::vector<TokenId> ids;
  std::vector<size_t> boundaries;  // lengths at which a window, chunk or temperature steps in
  size_t gguf_tokens = 0;          // how many tokens the GGUF twin agrees on
  double loss = 0;
  int64_t vocab = 0;
  std::vector<float> logits;  // [ids, vocab]
  std::unique_ptr<SafetensorsFolder> expected;
};

inline const fs::path& golden_folder() {
  // $ASHLAR_GOLDEN: another folder of the same form, for configurations beyond those kept here.
  static const fs::path folder = [] {
    const char* other = std::getenv("ASHLAR_GOLDEN");
    return other != nullptr ? fs::path(other) : fs::path(source_dir()) / "tests/golden/models";
  }();
  return folder;
}

/// Names of all golden models that `wanted` picks.
template <class Wanted>
std::vector<std::string> golden_names(Wanted wanted) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden_folder())) {
    if (fs::exists(entry.path() / "case.json") && wanted(entry.path()))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline Golden read_golden(const std::string& name) {
  Golden g{.name = name, .folder = golden_folder() / name};
  const Json about = Json::parse(std::ifstream(g.folder / "case.json"));
  g.ids = about.at("ids").get<std::vector<TokenId>>();
  g.boundaries = about.at("boundaries").get<std::vector<size_t>>();
  g.gguf_tokens = about.value("gguf_tokens", g.ids.size());
  g.loss = about.at("loss").get<double>();
  g.expected = SafetensorsFolder::open(g.folder / "expected.safetensors");
  const Tensor logits = g.expected->tensor("logits");
  g.vocab = logits.cols();
  g.logits = to_f32(logits);
  return g;
}

/// Every weight as float32, as its format decodes it.
inline Model load_as_float32(const std::string& path) {
  Model model = load_model(path);
  for (auto& [name, tensor] : model.weights) tensor = convert(tensor, Format::f32);
  return model;
}

/// Logits of all ids in steps of the given lengths; the last length is repeated.
inline std::vector<float> in_steps(Engine& engine, std::span<const TokenId> ids,
                                   const std::vector<size_t>& lengths) {
  std::vector<float> rows;
  const SequenceId s = engine.open().value();
  for (size_t at = 0, n = 0; at < ids.size(); ++n) {
    const size_t length = std::min(lengths[std::min(n, lengths.size() - 1)], ids.size() - at);
    const Run run{s, ids.subspan(at, length), Run::Logits::all};
    const auto logits = engine.step({&run, 1});
    rows.insert(rows.end(), logits.begin(), logits.end());
    at += length;
  }
  engine.close(s);
  return rows;
}

/// Logits of ids while two other sequences are evaluated in the same steps.
inline std::vector<float> among_strangers(Engine& engine, std::span<const TokenId> ids) {
  std::vector<float> rows;
  std::vector<TokenId> other(ids.rbegin(), ids.rend());
  const SequenceId a = engine.open().value(), s = engine.open().value(), b = engine.open().value();
  const size_t third = ids.size() / 3;
  for (size_t part = 0; part < 3; ++part) {
    const auto mine = part < 2 ? ids.subspan(part * third, third) : ids.subspan(2 * third);
    const Run runs[] = {{a, std::span(other).subspan(part * 3, 3), Run::Logits::none},
                        {s, mine, Run::Logits::all},
                        {b, std::span(other).subspan(3 + part, 1), Run::Logits::none}};
    const auto logits = engine.step(runs);
    rows.insert(rows.end(), logits.begin(), logits.end());
  }
  for (const SequenceId id : {a, s, b}) engine.close(id);
  return rows;
}

/// Where and how far `found` leaves `expected`, rows of `width`; success within `bound` times the
/// largest expected magnitude.
inline ::testing::AssertionResult near(std::span<const float> expected,
                                       std::span<const float> found, int64_t width, double bound) {
  if (expected.size() != found.size())
    return ::testing::AssertionFailure()
           << "expected " << expected.size() << " values, found " << found.size();
  double largest = 0, worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    double off = std::abs(static_cast<double>(expected[i]) - found[i]);
    if (!std::isfinite(off)) off = HUGE_VAL;
    if (off > worst) {
      worst = off;
      at = i;
    }
  }
  if (worst <= bound * largest) return ::testing::AssertionSuccess();
  size_t first = 0;
  while (std::abs(static_cast<double>(expected[first]) - found[first]) <= bound * largest) ++first;
  const auto row = [&](size_t i) { return i / static_cast<size_t>(width); };
  return ::testing::AssertionFailure() << fmt::format(
             "off by {:.2e} of the largest magnitude {:.4g} (bound {:.0e}) at row {}, column {}: "
             "expected {}, found {}; the first row that differs is {}",
             worst / largest, largest, bound, row(at), at % static_cast<size_t>(width),
             expected[at], found[at], row(first));
}

}  // namespace ashlar
