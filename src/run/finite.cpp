// Looks for NaN and infinity in what a step has made, and says which step of a model makes the
// first.
#include "run/finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include "base/error.h"
#include "run/frame.h"

namespace ashlar {
namespace {

/// `n` floats of each of `rows` rows of a buffer.
bool finite(const Frame& f, BufferId id, int64_t rows, int64_t n) {
  if (id == kNoBuffer) return true;
  const int64_t there = f.buffer(id).fixed ? std::min<int64_t>(rows, 1) : rows;
  for (int64_t r = 0; r < there; ++r) {
    if (!all_finite({f.floats(id, r), static_cast<size_t>(n)})) return false;
  }
  return true;
}

/// Row operations that make floats hold them in `out`; how many tells each in its own members.
template <class O>
bool finite_row(const Frame& f, const O& o, int64_t rows) {
  if constexpr (std::is_same_v<O, EmbedRow>) {
    return finite(f, o.out, rows, o.table.cols);
  } else if constexpr (std::is_same_v<O, WeighRow> || std::is_same_v<O, CopyRow>) {
    return true;  // numbers that were there before, or a product that the next step shows
  } else if constexpr (requires { o.groups* o.n; }) {
    return finite(f, o.out, rows, o.groups * o.n);
  } else if constexpr (requires {
                         o.out;
                         o.n;
                       }) {
    return finite(f, o.out, rows, o.n);
  } else {
    return true;
  }
}

bool finite_products(const Frame& f, const MatMulStep& s, int64_t rows) {
  for (const MatMulStep::Product& p : s.products) {
    if (!finite(f, p.out, rows, p.w.rows)) return false;
    if (s.epilogue.kind == Epilogue::Kind::gated) break;  // product 0 holds what both have become
  }
  return true;
}

bool finite_products(const Frame& f, const ExpertStep& s, int64_t rows) {
  const BufferId out = s.products[0].out;
  const int64_t stride = f.buffer(out).row_bytes / 4 / s.chosen;
  const auto n = static_cast<size_t>(s.products[0].w.rows / s.experts);
  for (int64_t slot = 0; slot < rows * s.chosen; ++slot) {
    if (!all_finite({f.floats(out, 0) + slot * stride, n})) return false;
  }
  return true;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  // Without a sign, bits order as magnitudes, and only infinity and NaN have all of the exponent.
  constexpr uint32_t kMagnitude = 0x7fffffffu, kInfinity = 0x7f800000u;
  uint32_t largest = 0;
  for (const float x : values) largest = std::max(largest, std::bit_cast<uint32_t>(x) & kMagnitude);
  return largest < kInfinity;
}

bool result_is_finite(const Frame& f, const Step& step) {
  const int64_t rows = f.batch.rows(step.rows);
  return std::visit(
      [&](const auto& s) {
        using S = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<S, RowStep>) {
          return std::all_of(s.operations.begin(), s.operations.end(), [&](const RowOperation& o) {
            return std::visit([&](const auto& op) { return finite_row(f, op, rows); }, o);
          });
        } else if constexpr (std::is_same_v<S, MatMulStep> || std::is_same_v<S, ExpertStep>) {
          return finite_products(f, s, rows);
        } else if constexpr (std::is_same_v<S, RecurrentStep>) {
          const auto* delta = std::get_if<RecurrentStep::DeltaRule>(&s.rule);
          return finite(f, s.out, rows,
                        delta != nullptr ? delta->key_heads * delta->group * delta->head.value_dim
                                         : std::get<RecurrentStep::Convolution>(s.rule).channels);
        } else if constexpr (std::is_same_v<S, AttentionStep>) {
          return finite(f, s.out, rows, s.kv_heads * s.group * s.v_dim);
        } else {
          return true;
        }
      },
      step.what);
}

void fail_not_finite(Engine& engine, std::span<const TokenId> tokens) {
  std::string at = engine.first_not_finite(tokens);
  if (at.starts_with("layers.")) {
    const std::string layer = at.substr(7, at.find('.', 7) - 7);
    at = fmt::format("the first number that is not finite is made in layer {} ({})", layer, at);
  } else if (!at.empty()) {
    at = fmt::format("the first number that is not finite is made in {}", at);
  } else {
    at = "evaluated again they are finite";
  }
  fail(ErrorKind::invalid,
       "the logits after {} tokens are not numbers (NaN or infinite): {}; `ashlar verify` checks "
       "the model, and `f32_activations` or `state` bf16 has more range",
       tokens.size(), at);
}

void check_finite(Engine& engine, std::span<const float> logits, std::span<const TokenId> tokens) {
  if (!all_finite(logits)) fail_not_finite(engine, tokens);
}

}  // namespace ashlar
