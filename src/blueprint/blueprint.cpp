// Checks, folding of equal layers, and loading by name.
#include "blueprint/blueprint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json.h"
#include "embedded/data.h"

namespace ashlar {
namespace {

using Numbers = std::initializer_list<std::pair<const char*, int64_t>>;

void positive(const std::string& where, Numbers numbers) {
  for (const auto& [name, value] : numbers) {
    if (value < 1 || value > (int64_t{1} << 30))
      fail(ErrorKind::invalid, "{}.{}: expected a number from 1 to 2^30, found {}", where, name,
           value);
  }
}

void not_negative(const std::string& where, Numbers numbers) {
  for (const auto& number : numbers) {
    if (number.second != 0) positive(where, {number});
  }
}

void finite(double value, const std::string& where) {
  if (!std::isfinite(value))
    fail(ErrorKind::invalid, "{}: expected a finite number, found {}", where, value);
}

void check_rope(const RopePart& r, int64_t head_dim, const std::string& where) {
  if (!(r.theta > 0) || !std::isfinite(r.theta))
    fail(ErrorKind::invalid, "{}.theta: expected a positive number, found {}", where, r.theta);
  const int64_t dim = r.dim == 0 ? head_dim : r.dim;
  if (dim < 2 || dim % 2 != 0 || dim > head_dim)
    fail(ErrorKind::invalid, "{}.dim: expected an even number up to {}, found {}", where, head_dim,
         dim);
  finite(r.attention_factor, where + ".attention_factor");
  const bool longrope = r.scaling == RotationScaling::longrope;
  const auto check_divisors = [&](const char* name, const std::vector<double>& list, bool needed) {
    if (needed && list.size() != static_cast<size_t>(dim / 2))
      fail(ErrorKind::invalid, "{}.{}: expected {} numbers, found {}", where, name, dim / 2,
           list.size());
    for (const double v : list) {
      if (!(v > 0) || !std::isfinite(v))
        fail(ErrorKind::invalid, "{}.{}: expected positive numbers, found {}", where, name, v);
    }
  };
  check_divisors("divisors", r.divisors, longrope || r.scaling == RotationScaling::divisors);
  check_divisors("long_divisors", r.long_divisors, longrope);
  if (r.scaling != RotationScaling::none && !(r.factor > 0 && std::isfinite(r.factor)))
    fail(ErrorKind::invalid, "{}.factor: expected a positive number, found {}", where, r.factor);
  if ((r.scaling == RotationScaling::llama3 || r.scaling == RotationScaling::yarn || longrope) &&
      r.original_context < 1) {
    fail(ErrorKind::invalid, "{}.original_context: expected at least 1, found {}", where,
         r.original_context);
  }
}

void check_mixer(const AttentionPart& a, const std::string& where) {
  const std::string here = where + ".attention";
  positive(here, {{"heads", a.heads}, {"kv_heads", a.kv_heads}, {"head_dim", a.head_dim}});
  if (a.heads % a.kv_heads != 0)
    fail(ErrorKind::invalid, "{}: {} heads do not divide among {} kv_heads", here, a.heads,
         a.kv_heads);
  if (a.rope) check_rope(*a.rope, a.head_dim, here + ".rope");
  not_negative(here, {{"window", a.window}, {"chunk", a.chunk}, {"log_length", a.log_length}});
  finite(a.scale, here + ".scale");
  if (a.log_length == 1)
    fail(ErrorKind::invalid, "{}.log_length: expected at least 2, found 1", here);
}

void check_mixer(const LatentAttentionPart& m, const std::string& where) {
  const std::string here = where + ".latent_attention";
  positive(here, {{"heads", m.heads},
                  {"latent", m.latent},
                  {"qk_nope", m.qk_nope},
                  {"qk_rope", m.qk_rope},
                  {"value_dim", m.value_dim}});
  not_negative(here, {{"query_rank", m.query_rank}});
  check_rope(m.rope, m.qk_rope, here + ".rope");
}

void check_mixer(const GatedDeltaNetPart& m, const std::string& where) {
  const std::string here = where + ".gated_delta_net";
  positive(here, {{"key_heads", m.key_heads},
                  {"value_heads", m.value_heads},
                  {"key_dim", m.key_dim},
                  {"value_dim", m.value_dim},
                  {"conv_width", m.conv_width}});
  finite(m.norm_eps, here + ".norm_eps");
  if (m.value_heads % m.key_heads != 0)
    fail(ErrorKind::invalid, "{}: {} value_heads do not divide among {} key_heads", here,
         m.value_heads, m.key_heads);
}

void check_ffn(const DenseFfn& f, const std::string& where) {
  positive(where + ".dense", {{"width", f.width}});
}

void check_ffn(const ExpertFfnPart& e, const std::string& where) {
  const std::string here = where + ".experts";
  positive(here, {{"experts", e.experts}, {"width", e.width}});
  if (e.top_k < 1 || e.top_k > e.experts)
    fail(ErrorKind::invalid, "{}.top_k: expected 1 to {}, found {}", here, e.experts, e.top_k);
  not_negative(here, {{"shared", e.shared}});
  if (e.shared_gate && e.shared == 0)
    fail(ErrorKind::invalid, "{}.shared_gate: there is no shared expert", here);
  not_negative(here, {{"parallel", e.parallel}});
  const Router& r = e.router;
  if (r.groups < 1 || e.experts % r.groups != 0 || r.keep_groups < 1 || r.keep_groups > r.groups ||
      r.keep_groups * (e.experts / r.groups) < e.top_k) {
    fail(ErrorKind::invalid,
         "{}.router: {} groups of which {} are kept do not fit {} experts and top_k {}", here,
         r.groups, r.keep_groups, e.experts, e.top_k);
  }
  if (!has_gate(e.activation) || e.activation == FfnActivation::geglu_exact)
    fail(ErrorKind::unsupported, "{}.activation: experts whose gate is not SwiGLU or GeGLU", here);
}

void check_block(const Block& block, const std::string& where) {
  finite(residual_scale(block.wiring), where + ".wiring.residual_scale");
  std::visit([&](const auto& part) { check_mixer(part, where + ".mixer"); }, block.mixer);
  std::visit([&](const auto& part) { check_ffn(part, where + ".ffn"); }, block.ffn);
}

}  // namespace

double residual_scale(const Wiring& wiring) {
  return std::visit([](const auto& w) { return w.residual_scale; }, wiring);
}

void check(const Blueprint& bp) {
  const std::string where = bp.name.empty() ? "blueprint" : bp.name;
  positive(where + ".embedding", {{"vocab", bp.embedding.vocab}, {"width", bp.embedding.width}});
  not_negative(where + ".embedding", {{"positions", bp.embedding.positions}});
  not_negative(where, {{"context", bp.context}});
  finite(bp.embedding.scale, where + ".embedding.scale");
  finite(bp.head.scale, where + ".head.scale");
  if (bp.embedding.sinusoidal && bp.embedding.width % 2 != 0)
    fail(ErrorKind::invalid,
         "{}.embedding.width: sinusoidal positions need an even number, found "
         "{}",
         where, bp.embedding.width);
  if (bp.blocks.empty()) fail(ErrorKind::invalid, "{}: has no blocks", where);
  for (size_t i = 0; i < bp.blocks.size(); ++i)
    check_block(bp.blocks[i], where + ".blocks[" + std::to_string(i) + "]");
  for (size_t i = 0; i < bp.mtp.size(); ++i)
    check_block(bp.mtp[i], where + ".mtp[" + std::to_string(i) + "]");
}

namespace {

constexpr size_t kLongestPattern = 64;  // layers

std::vector<Fold> fold_range(const std::vector<Block>& blocks, size_t begin, size_t end,
                             bool inner) {
  std::vector<Fold> folds;
  for (size_t i = begin; i < end;) {
    size_t best_period = 1, best_repeat = 1;
    const size_t most = inner ? 1 : std::min((end - i) / 2, kLongestPattern);
    for (size_t period = 1; period <= most && best_period * best_repeat < end - i; ++period) {
      size_t repeat = 1;
      while (i + (repeat + 1) * period <= end &&
             std::equal(blocks.begin() + static_cast<int64_t>(i),
                        blocks.begin() + static_cast<int64_t>(i + period),
                        blocks.begin() + static_cast<int64_t>(i + repeat * period))) {
        ++repeat;
      }
      // A longer period is worth it only if it covers more layers than what a shorter one covers.
      if (repeat > 1 && repeat * period > best_repeat * best_period) {
        best_period = period;
        best_repeat = repeat;
      }
    }
    Fold f{static_cast<int64_t>(best_repeat), {}, i, best_period};
    if (best_period > 1) f.inner = fold_range(blocks, i, i + best_period, true);
    folds.push_back(std::move(f));
    i += best_period * best_repeat;
  }
  return folds;
}

}  // namespace

std::vector<Fold> fold(const std::vector<Block>& blocks) {
  return fold_range(blocks, 0, blocks.size(), false);
}

std::vector<std::string> blueprint_names() { return data_names("blueprints"); }

Blueprint load_blueprint(const std::string& name_or_file) {
  const std::filesystem::path file = name_or_file;
  std::error_code code;
  std::optional<DataFile> data;
  if (std::filesystem::is_regular_file(file, code)) {
    data = {read_file(file, size_t{1} << 24), name_or_file};
  } else {
    data = find_data("blueprints", name_or_file);
  }
  if (!data) {
    const std::vector<std::string> near = nearest(name_or_file, blueprint_names(), 5);
    fail(ErrorKind::io, "{}: no such file and no blueprint of that name; near names: {}",
         name_or_file, near.empty() ? "none found" : fmt::format("{}", fmt::join(near, ", ")));
  }
  Blueprint bp = blueprint_from_json(data->text, data->where);
  if (bp.name.empty()) bp.name = file.stem().string();
  return bp;
}

}  // namespace ashlar
