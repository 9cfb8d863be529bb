// Rotary embedding as configs write it, as GGUF writes it, and as the part: three spellings.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "families/decoder.h"
#include "ops/rope.h"

namespace ashlar {
namespace {

// The factor of cos and sin that YaRN's paper suggests (section 3.4), and DeepSeek's variant of it.
double yarn_factor(double factor, double mscale = 1) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

// The factor of cos and sin that LongRoPE's authors give for contexts `factor` times as long.
double longrope_factor(double factor, int64_t original) {
  return factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original));
}

double factor_of(const RopeFields& r, const Fields& f) {
  if (r.factor != 0) return r.factor;
  return r.original > 0 ? static_cast<double>(f.context) / static_cast<double>(r.original) : 0;
}

/// By how much each frequency is divided.
std::vector<double> divisors_of(const RopePart& part, int64_t dim) {
  Rope scaled{.dim = dim,
              .theta = part.theta,
              .scaling = part.scaling,
              .factor = part.factor,
              .original_context = part.original_context,
              .low_frequency_factor = part.low_frequency_factor,
              .high_frequency_factor = part.high_frequency_factor};
  const std::vector<double> after = scaled.frequencies(0);
  scaled.scaling = RotationScaling::none;
  std::vector<double> divisors = scaled.frequencies(0);
  for (size_t j = 0; j < divisors.size(); ++j) divisors[j] /= after[j];
  return divisors;
}

void visit_llama3(FieldVisitor& v, RopeFields& r) {
  v(r.factor, "", "rope.llama3.factor", r.factor);
  v(r.original, "", "rope.llama3.original_context_length", 8192);
  v(r.low, "", "rope.llama3.low_freq_factor", 1.0);
  v(r.high, "", "rope.llama3.high_freq_factor", 4.0);
}

/// The context that Llama 3's rule with these divisors and a low factor of 1 was made for: from a
/// frequency between the bands, or, where there is none, from the bands' border. 0: none.
int64_t original_of(const std::vector<double>& divisors, double theta, double high) {
  const double factor = divisors.back(), half = static_cast<double>(divisors.size());
  const auto wavelength = [&](size_t j) {
    return 2 * std::acos(-1.0) * std::pow(theta, static_cast<double>(j) / half);
  };
  const auto whole = [](double x) { return x >= 1 && x < 1e12 ? std::llround(x) : 0; };
  for (size_t j = 1; j < divisors.size(); ++j) {
    if (near(divisors[j], 1, 1e-3)) continue;
    if (near(divisors[j], factor, 1e-3)) return whole(std::sqrt(wavelength(j - 1) * wavelength(j)));
    const double kept = (1 / divisors[j] - 1 / factor) / (1 - 1 / factor);
    return whole(wavelength(j) * (1 + kept * (high - 1)));
  }
  return 0;
}

/// Divisors are what is left of Llama 3's rule in GGUF files. Finds the rule that made them: what
/// keys of our own say, its usual constants, or another context.
void recognise_llama3(FieldVisitor& v, RopeFields& r, int64_t dim) {
  const std::vector<double> found = r.divisors;
  if (found.empty() || found.size() * 2 != static_cast<size_t>(dim)) return;
  RopeFields rule;
  rule.theta = r.theta;
  rule.type = "llama3";
  rule.factor = found.back();
  visit_llama3(v, rule);
  const int64_t said = rule.original;
  const double said_high = rule.high;
  for (const int64_t original : {said, int64_t{8192}, int64_t{0}}) {
    for (const double high : {said_high, 4.0, 1.0}) {
      rule.original = original > 0 ? original : original_of(found, r.theta, high);
      rule.high = high;
      if (rule.original <= 0) continue;
      const std::vector<double> made = divisors_of(rope_part(rule, Fields{}, dim), dim);
      if (std::equal(made.begin(), made.end(), found.begin(),
                     [](double a, double b) { return near(a, b, 1e-5); })) {
        r = rule;
        return;
      }
    }
  }
}

/// LongRoPE in GGUF: two tensors, and no word of the type. False: there are none.
bool visit_gguf_longrope(FieldVisitor& v, RopeFields& r, Fields& f) {
  if (v.reading()) {
    v(r.long_divisors, "", "rope_factors_long", std::vector<double>{});
    if (r.long_divisors.empty()) return false;
    r.type = "longrope";
  } else if (r.type != "longrope") {
    return false;
  } else {
    v(r.long_divisors, "", "rope_factors_long");
  }
  v(r.divisors, "", "rope_factors_short");
  v(r.original, "", "rope.scaling.original_context_length", f.context);
  v(r.attention_factor, "", "rope.scaling.attn_factor|rope.scaling.yarn_attn_factor", 1.0);
  return true;
}

void visit_gguf_rope(FieldVisitor& v, RopeFields& r, Fields& f, double theta) {
  // Where no layer rotates, the usual one is written.
  if (!v.reading() && r.theta == 0) r.theta = theta;
  v(r.theta, "", "rope.freq_base", theta);
  if (theta > 0) expect_positive(v, r.theta);
  if (v.reading() || f.rotary.dim > 0) v(f.rotary.dim, "", "rope.dimension_count", f.rotary.dim);
  if (visit_gguf_longrope(v, r, f)) return;
  const int64_t dim = f.rotary.dim > 0 ? f.rotary.dim : f.head_dim;
  if (!v.reading() && r.type == "llama3" && dim > 0 && dim % 2 == 0) {
    visit_llama3(v, r);
    r.divisors = divisors_of(rope_part(r, f, dim), dim);
    r.type = "divisors";
  }
  if (v.reading() || !r.divisors.empty()) v(r.divisors, "", "rope_freqs", std::vector<double>{});
  if (!r.divisors.empty()) {
    if (v.reading() && static_cast<int64_t>(r.divisors.size()) * 2 != dim) {
      fail(ErrorKind::format, "{}: rope_freqs.weight: expected {} numbers, found {}", v.where(),
           dim / 2, r.divisors.size());
    }
    r.type = "divisors";
    if (v.reading()) recognise_llama3(v, r, dim);
    return;
  }
  if (!v.reading() && r.type == "default") return;
  if (v.reading() && !v.has("rope.scaling.type")) {
    // As llama.cpp: linear, by a factor or by the key of files before there were types.
    double factor = 0;
    v(factor, "", "rope.scaling.factor|rope.scale_linear", 0.0);
    r.type = factor == 0 || factor == 1 ? "default" : "linear";
    r.factor = factor;
    return;
  }
  v(r.type, "", "rope.scaling.type", "none");
  if (r.type == "none") {  // whatever else there is counts for nothing
    v.ignore({"rope.scaling.yarn_ext_factor", "rope.scaling.factor", "rope.scale_linear",
              "rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor",
              "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow",
              "rope.scaling.yarn_log_multiplier"});
    r.type = "default";
    return;
  }
  if (r.type != "linear" && r.type != "yarn") {
    fail(ErrorKind::unsupported, "{}: rope.scaling.type: expected none, linear or yarn, found {}",
         v.where(), r.type);
  }
  v(r.factor, "", "rope.scaling.factor");
  if (r.type == "linear") return;
  v(r.original, "", "rope.scaling.original_context_length", f.context);
  double mix = 1;  // of kept and divided frequencies: YaRN has all of it
  if (v.reading()) v(mix, "", "rope.scaling.yarn_ext_factor", 1.0);
  if (mix != 1) {
    fail(ErrorKind::unsupported, "{}: rope.scaling.yarn_ext_factor: expected 1, found {}",
         v.where(), mix);
  }
  v(r.beta_fast, "", "rope.scaling.yarn_beta_fast", 32.0);
  v(r.beta_slow, "", "rope.scaling.yarn_beta_slow", 1.0);
  // Not a key that others read: the usual readers always truncate.
  if (v.reading() || !r.truncate) v(r.truncate, "", "rope.scaling.yarn_truncate", r.truncate);
  // Readers multiply it with the factor that the paper suggests.
  double beside = v.reading() || r.attention_factor == 0
                      ? 1
                      : r.attention_factor / yarn_factor(factor_of(r, f));
  if (v.reading() || !near(beside, 1))
    v(beside, "", "rope.scaling.attn_factor|rope.scaling.yarn_attn_factor", 1.0);
  if (v.reading() && beside != 1) {
    // The file has 32 bits of it: of the numbers that round to them, the one with fewest digits.
    const double fallback = yarn_factor(factor_of(r, f));
    r.attention_factor = beside * fallback;
    const bool narrow = std::stod(fmt::format("{:.9g}", beside)) == beside;
    for (int digits = 1; digits <= 9 && narrow; ++digits) {
      const double fewer = std::stod(fmt::format("{:.{}g}", r.attention_factor, digits));
      if (static_cast<float>(fewer / fallback) != static_cast<float>(beside)) continue;
      r.attention_factor = fewer;
      break;
    }
  }
}

void visit_config_longrope(FieldVisitor& v, RopeFields& r, Fields& f,
                           const std::function<std::string(std::string_view)>& key) {
  const std::string_view name = "original_max_position_embeddings";
  // Beside the tables it counts more than among them, as in Transformers.
  if (v.reading()) {
    if (r.original == 0) v(r.original, fmt::format("{}|{}", name, key(name)), "", f.context);
  } else {
    v(r.original, key(name), "");
    v(r.original, name, "");
  }
  v(r.divisors, key("short_factor"), "");
  v(r.long_divisors, key("long_factor"), "");
  if (v.reading() || r.attention_factor != 0)
    v(r.attention_factor, key("attention_factor"), "", 0.0);
}

/// `base`: where Transformers 5 has it; `old`: where published configs have the scaling ("":
/// nowhere).
void visit_config_rope(FieldVisitor& v, RopeFields& r, Fields& f, double theta,
                       const std::string& base, const std::string& old_theta,
                       const std::string& old) {
  const auto key = [&](std::string_view name) {
    return old.empty() ? fmt::format("{}{}", base, name)
                       : fmt::format("{0}{1}|{2}{1}", base, name, old);
  };
  if (!v.reading() && r.theta == 0) r.theta = theta;
  v(r.theta, base + "rope_theta|" + old_theta, "", theta);
  if (f.rotary.dim == 0)  // a family whose heads rotate whole
    v.refuse_unless(key("partial_rotary_factor") + "|partial_rotary_factor", {1.0, 1});
  v(r.type, key("rope_type") + "|" + key("type"), "", r.type);
  // Early words of Phi-3 for LongRoPE.
  if (r.type == "su" || (v.reading() && r.type == "yarn" && v.has(key("long_factor"))))
    r.type = "longrope";
  if (r.type != "default" && r.type != "linear" && r.type != "llama3" && r.type != "yarn" &&
      r.type != "longrope") {
    fail(ErrorKind::unsupported,
         "{}: rope_type: expected default, linear, llama3, yarn or longrope, found {}{}", v.where(),
         r.type, r.type == "divisors" ? " (they stand in GGUF files only)" : "");
  }
  if (r.type == "default") return;
  if (r.type == "linear" || r.type == "llama3")
    v(r.factor, key("factor"), "");
  else
    v.nullable(r.factor, key("factor"), "", r.factor);
  if (r.type == "linear") return;
  if (r.type == "longrope") return visit_config_longrope(v, r, f, key);
  v(r.original, key("original_max_position_embeddings") + "|original_max_position_embeddings", "",
    r.original > 0 ? r.original : f.context);
  if (r.type == "llama3") {
    v(r.low, key("low_freq_factor"), "");
    v(r.high, key("high_freq_factor"), "");
    return;
  }
  v(r.beta_fast, key("beta_fast"), "", 32.0);
  v(r.beta_slow, key("beta_slow"), "", 1.0);
  v(r.truncate, key("truncate"), "", r.truncate);
  for (const auto& [name, member] :
       {std::pair{"mscale", &r.mscale}, std::pair{"mscale_all_dim", &r.mscale_all_dim},
        std::pair{"attention_factor", &r.attention_factor}}) {
    if (v.reading() || *member != 0) v(*member, key(name), "", 0.0);
  }
}

}  // namespace

void visit_rope(FieldVisitor& v, RopeFields& r, Fields& f, double theta, std::string_view section) {
  if (v.gguf()) return visit_gguf_rope(v, r, f, theta);
  v.expect_objects("rope_parameters|rope_scaling");
  const std::string base = "rope_parameters." + (section.empty() ? "" : std::string(section) + ".");
  visit_config_rope(v, r, f, theta, base, "rope_theta", "rope_scaling.");
  if (theta > 0) expect_positive(v, r.theta);
}

void visit_local_rope(FieldVisitor& v, Fields& f, double theta) {
  RopeFields& r = f.local_rope;
  if (!v.gguf()) {
    visit_config_rope(v, r, f, theta, "rope_parameters.sliding_attention.", "rope_local_base_freq",
                      "");
    return expect_positive(v, r.theta);
  }
  if (v.reading() || (r.theta != 0 && r.theta != theta))
    v(r.theta, "", "rope.freq_base_swa", theta);
  expect_positive(v, r.theta);
}

/// The factor of cos and sin.
double attention_factor_of(const RopeFields& r, const Fields& f) {
  if (r.attention_factor != 0) return r.attention_factor;
  const double factor = factor_of(r, f);
  if (r.type == "longrope") return longrope_factor(factor, r.original);
  if (r.mscale != 0 && r.mscale_all_dim != 0)
    return yarn_factor(factor, r.mscale) / yarn_factor(factor, r.mscale_all_dim);
  return yarn_factor(factor);
}

RopePart rope_part(const RopeFields& r, const Fields& f, int64_t head_dim) {
  RopePart p;
  p.theta = r.theta;
  p.dim = f.rotary.dim == head_dim ? 0 : f.rotary.dim;
  p.layout = f.rotary.interleaved ? RotationLayout::interleaved : RotationLayout::half;
  if (r.type == "default") return p;
  using enum RotationScaling;
  p.scaling = enum_named<RotationScaling>(r.type).value();
  if (p.scaling == divisors || p.scaling == longrope) p.divisors = r.divisors;
  if (p.scaling == divisors) return p;
  if (p.scaling == longrope) {
    p.long_divisors = r.long_divisors;
    p.ignores_long = r.ignores_long;
  } else {
    p.factor = factor_of(r, f);
  }
  if (p.scaling == linear) return p;
  p.original_context = r.original;
  if (p.scaling == llama3) {
    p.low_frequency_factor = r.low;
    p.high_frequency_factor = r.high;
    return p;
  }
  p.attention_factor = attention_factor_of(r, f);
  if (p.scaling == yarn) {
    p.beta_fast = r.beta_fast;
    p.beta_slow = r.beta_slow;
    p.truncate = r.truncate;
  }
  return p;
}

void visit_tempered_rope(FieldVisitor& v, Fields& f, double theta) {
  RopeFields& r = f.rope;
  const bool silent = v.reading() && !v.gguf() && !v.has("rope_parameters|rope_scaling");
  if (silent) {  // what a config without a word on rope means
    r.type = "yarn";
    r.factor = 16;
    r.original = 16384;
  }
  if (v.reading()) f.attention.temperature_scale = silent ? 0.1 : 0;
  const double slope = r.factor > 1 ? 0.1 * std::log(r.factor) : 0;
  if (!v.reading() && r.type == "yarn" && r.attention_factor > 0 && slope > 0) {
    // Said as mscale_all_dim, beside an mscale of 1: the only spelling in GGUF.
    r.mscale_all_dim = rounded((yarn_factor(r.factor) / r.attention_factor - 1) / slope);
    r.mscale = 1;
    r.attention_factor = 0;
  }
  const double all_dim = r.mscale_all_dim;
  visit_rope(v, r, f, silent ? 1e6 : theta);
  if (silent) r.mscale = r.mscale_all_dim = 1;
  if (v.gguf() && (v.reading() || all_dim != 0)) {
    double multiplier = all_dim;
    v(multiplier, "", "rope.scaling.yarn_log_multiplier", 0.0);
    if (v.reading() && r.type == "yarn" && multiplier != 0) {
      if (r.attention_factor != 0) {  // beside it
        r.attention_factor /= yarn_factor(factor_of(r, f), multiplier);
      } else {
        r.mscale = 1;
        r.mscale_all_dim = multiplier;
      }
    }
  }
  if (!v.reading() && !f.attention.tempered) f.attention.temperature_scale = 0;
  v(f.attention.temperature_scale,
    "rope_parameters.llama_4_scaling_beta|rope_scaling.llama_4_scaling_beta",
    "attention.temperature_scale", f.attention.temperature_scale);
  f.attention.tempered = f.attention.temperature_scale != 0;
  f.attention.temperature_length = static_cast<double>(r.original);
  if (v.reading() && f.attention.tempered && r.original < 1) {
    fail(ErrorKind::format, "{}: llama_4_scaling_beta {} without original_max_position_embeddings",
         v.where(), f.attention.temperature_scale);
  }
}

RopeFields rope_fields(const RopePart& p) {
  RopeFields r;
  r.theta = p.theta;
  r.divisors = p.divisors;
  if (p.scaling == RotationScaling::none) return r;
  r.type = enum_name(p.scaling);
  if (p.scaling == RotationScaling::divisors) return r;
  r.original = p.original_context;
  if (p.scaling == RotationScaling::longrope) {
    r.long_divisors = p.long_divisors;
    r.ignores_long = p.ignores_long;
    r.attention_factor = p.attention_factor;
    return r;
  }
  r.factor = p.factor;
  r.low = p.low_frequency_factor;
  r.high = p.high_frequency_factor;
  r.beta_fast = p.beta_fast;
  r.beta_slow = p.beta_slow;
  r.truncate = p.truncate;
  if (r.type == "yarn" && !near(p.attention_factor, yarn_factor(p.factor)))
    r.attention_factor = p.attention_factor;
  return r;
}

// DeepSeek-V2's code: the scores' scale takes the square of the factor of YaRN with mscale_all_dim.
double latent_scale(const RopeFields& r, const Fields& f) {
  if (r.type == "default" || r.mscale_all_dim == 0) return 0;
  const double m = yarn_factor(factor_of(r, f), r.mscale_all_dim);
  return m == 1 ? 0 : m * m / std::sqrt(static_cast<double>(f.latent.qk_nope + f.latent.qk_rope));
}

void latent_scale_fields(RopeFields& r, const LatentAttentionPart& p) {
  if (p.scale == 0 || r.type != "yarn" || r.factor <= 1) return;
  const double fallback = 1 / std::sqrt(static_cast<double>(p.qk_nope + p.qk_rope));
  const double slope = 0.1 * std::log(r.factor), m = std::sqrt(p.scale / fallback);
  r.mscale_all_dim = rounded((m - 1) / slope);
  const double turns = p.rope.attention_factor * yarn_factor(r.factor, r.mscale_all_dim);
  r.mscale = rounded((turns - 1) / slope);
  r.attention_factor = 0;
}

}  // namespace ashlar
