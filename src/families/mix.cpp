// llama.cpp's choice of tensor types (llama_tensor_get_type of its quantiser), as far as Ashlar's
// mixes need it.
#include "families/mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

namespace ashlar {
namespace {

enum class Role { output, embedding, value, key, attention_output, down, other };

bool contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

Role role_of(std::string_view name) {
  if (name == "output.weight") return Role::output;
  if (name == "token_embd.weight") return Role::embedding;
  for (const char* value : {"attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight"}) {
    if (contains(name, value)) return Role::value;
  }
  if (contains(name, "attn_k.weight")) return Role::key;
  if (contains(name, "attn_output.weight")) return Role::attention_output;
  if (contains(name, "ffn_down")) return Role::down;
  return Role::other;
}

// The N of "blk.N.", or -1.
int layer_of(std::string_view name) {
  if (name.substr(0, 4) != "blk.") return -1;
  int layer = -1;
  for (size_t i = 4; i < name.size() && name[i] >= '0' && name[i] <= '9' && layer < 1'000'000;
       ++i) {
    layer = std::max(layer, 0) * 10 + (name[i] - '0');
  }
  return layer;
}

bool ends_with(std::string_view name, std::string_view tail) {
  return name.size() >= tail.size() && name.substr(name.size() - tail.size()) == tail;
}

// Vectors, norms and routers are small and matter: they stay float32.
bool is_quantised(const MixTensor& tensor) {
  int axes = 0;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    // Leading axes of size 1 do not make a matrix.
    if (tensor.sizes[i] != 1 || axes > 0) ++axes;
  }
  if (axes < 2 || !ends_with(tensor.name, "weight")) return false;
  for (const char* kept : {"_norm.weight", "ffn_gate_inp.weight", "position_embd.weight",
                           "token_types.weight", "ssm_conv1d.weight"}) {
    if (contains(tensor.name, kept)) return false;
  }
  return true;
}

bool is_block_format(Format format) { return !info(format).exact; }

Format fallback(Format format, int64_t cols) {
  const auto fits = [cols](Format f) { return cols % info(f).block_len == 0; };
  if (fits(format)) return format;
  Format other = format;
  switch (format) {
    case Format::q2_k:
    case Format::q3_k:
      other = Format::q4_0;
      break;
    case Format::q4_k:
      other = Format::q5_0;
      break;
    case Format::q5_k:
      other = Format::q5_1;
      break;
    case Format::q6_k:
      other = Format::q8_0;
      break;
    case Format::iq4_xs:
      other = Format::iq4_nl;
      break;
    default:
      break;
  }
  return fits(other) ? other : Format::f16;
}

// Counts what llama.cpp counts while it walks the tensors in the order of layers.
class Chooser {
 public:
  Chooser(const Mix& mix, const std::vector<MixTensor>& tensors, const MixModel& model)
      : mix_(mix), model_(model) {
    for (const MixTensor& t : tensors) {
      const Role role = role_of(t.name);
      if (role == Role::value) ++values_;
      if (role == Role::output) tied_ = false;
    }
  }

  Format choose(const MixTensor& tensor) {
    if (!is_quantised(tensor)) return Format::f32;
    if (!is_block_format(mix_.format)) return mix_.format;
    const int64_t cols = tensor.sizes.back();
    return fallback(wanted(tensor, cols), cols);
  }

 private:
  static bool more_bits(int layer, int layers) {
    return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
  }

  Format wanted(const MixTensor& tensor, int64_t cols) {
    const Role role = role_of(tensor.name);
    const Format format = mix_.format;
    if (role == Role::output || (tied_ && role == Role::embedding)) {
      if (format == Format::mxfp4 || cols % info(format).block_len != 0) return Format::q8_0;
      return format == Format::q8_0 ? format : Format::q6_k;
    }
    if (format == Format::mxfp4)
      return tensor.sizes.size() > 2 && tensor.sizes[0] > 1 ? format : Format::q8_0;
    switch (role) {
      case Role::value:
        return value_format();
      case Role::key:
        return model_.experts == 8 ? Format::q8_0 : format;
      case Role::attention_output:
        return attention_output_format();
      case Role::down:
        return down_format(tensor);
      default:
        return format;
    }
  }

  Format value_format() {
    const int at = values_seen_++;
    const bool iq4 = mix_.format == Format::iq4_nl || mix_.format == Format::iq4_xs;
    Format format = mix_.format;
    if (iq4 && model_.gqa >= 4) format = Format::q5_k;
    if (mix_.format == Format::q2_k) format = model_.gqa >= 4 ? Format::q4_k : Format::q3_k;
    if (mix_.format == Format::q3_k && medium()) format = at < 2 ? Format::q5_k : Format::q4_k;
    if (bits_4_or_5() && medium() && more_bits(at, values_)) format = Format::q6_k;
    if (mix_.format == Format::q4_k && small() && at < 4) format = Format::q5_k;
    if (model_.llama_70b && (format == Format::q3_k || format == Format::q4_k))
      format = Format::q5_k;
    return model_.experts == 8 ? Format::q8_0 : format;
  }

  Format attention_output_format() const {
    const Format format = mix_.format;
    if (model_.experts == 8) {
      const bool raised = format == Format::q2_k || format == Format::q3_k ||
                          format == Format::q4_k || format == Format::iq4_nl ||
                          format == Format::iq4_xs;
      return raised ? Format::q5_k : format;
    }
    if (format == Format::q2_k) return Format::q3_k;
    return format == Format::q3_k && medium() ? Format::q4_k : format;
  }

  Format down_format(const MixTensor& tensor) {
    const int counted = downs_seen_++, layers = model_.layers;
    const int layer = model_.experts > 1 ? layer_of(tensor.name) : counted;
    const Format format = mix_.format;
    if (format == Format::q2_k) return Format::q3_k;
    if (format == Format::q3_k && medium())
      return layer < layers / 16 ? Format::q5_k : Format::q4_k;
    if (bits_4_or_5() && medium()) return more_bits(layer, layers) ? Format::q6_k : format;
    const bool raised =
        (format == Format::q4_k && small()) || format == Format::iq4_nl || format == Format::iq4_xs;
    return raised && layer < layers / 8 ? Format::q5_k : format;
  }

  bool medium() const { return mix_.rules == Mix::Rules::medium; }
  bool small() const { return mix_.rules == Mix::Rules::small; }
  bool bits_4_or_5() const { return mix_.format == Format::q4_k || mix_.format == Format::q5_k; }

  Mix mix_;
  MixModel model_;
  int values_ = 0, values_seen_ = 0, downs_seen_ = 0;
  bool tied_ = true;
};

}  // namespace

std::optional<Mix> mix_named(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  Mix mix;
  if (ends_with(lower, "_k_m") || ends_with(lower, "_k_s")) {
    mix.rules = ends_with(lower, "_m") ? Mix::Rules::medium : Mix::Rules::small;
    lower.resize(lower.size() - 2);
  }
  const auto format = format_named(lower);
  if (!format || *format == Format::fp8_b128 || *format == Format::int4_g32) return std::nullopt;
  mix.format = *format;
  const bool three_to_five =
      *format == Format::q3_k || *format == Format::q4_k || *format == Format::q5_k;
  if (mix.rules != Mix::Rules::uniform && !three_to_five) return std::nullopt;
  return mix;
}

std::vector<Format> mix_formats(const Mix& mix, const std::vector<MixTensor>& tensors,
                                const MixModel& model) {
  // llama.cpp walks the tensors by layer, then by name; those of no layer come first.
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int la = layer_of(tensors[a].name), lb = layer_of(tensors[b].name);
    return la != lb ? la < lb : tensors[a].name < tensors[b].name;
  });
  Chooser chooser(mix, tensors, model);
  std::vector<Format> formats(tensors.size(), Format::f32);
  for (const size_t i : order) formats[i] = chooser.choose(tensors[i]);
  return formats;
}

uint32_t mix_file_type(const Mix& mix) {
  const bool medium = mix.rules == Mix::Rules::medium;
  switch (mix.format) {
    case Format::f16:
      return 1;
    case Format::q4_0:
      return 2;
    case Format::q4_1:
      return 3;
    case Format::q8_0:
      return 7;
    case Format::q5_0:
      return 8;
    case Format::q5_1:
      return 9;
    case Format::q2_k:
      return 10;
    case Format::q3_k:
      return medium ? 12 : 11;
    case Format::q4_k:
      return medium ? 15 : 14;
    case Format::q5_k:
      return medium ? 17 : 16;
    case Format::q6_k:
      return 18;
    case Format::iq4_nl:
      return 25;
    case Format::iq4_xs:
      return 30;
    case Format::bf16:
      return 32;
    case Format::mxfp4:
      return 38;
    default:
      return 0;
  }
}

}  // namespace ashlar
