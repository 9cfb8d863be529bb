// llama.cpp's choice of tensor types (llama_tensor_get_type of its quantiser), as far as Ashlar's
// mixes need it.
#include "families/mix.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/lower_case.h"

namespace ashlar {
namespace {

enum class Use { output, embedding, value, key, attention_output, down, other };

bool contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

Use use_of(std::string_view name) {
  if (name == "output.weight") return Use::output;
  if (name == "token_embd.weight") return Use::embedding;
  for (const char* value : {"attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight"}) {
    if (contains(name, value)) return Use::value;
  }
  if (contains(name, "attn_k.weight")) return Use::key;
  if (contains(name, "attn_output.weight")) return Use::attention_output;
  if (contains(name, "ffn_down")) return Use::down;
  return Use::other;
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

// Vectors, norms and routers are small and matter: they stay float32.
bool is_quantised(const MixTensor& tensor) {
  int axes = 0;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    // Leading axes of size 1 do not make a matrix.
    if (tensor.sizes[i] != 1 || axes > 0) ++axes;
  }
  if (axes < 2 || !tensor.name.ends_with("weight")) return false;
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
  constexpr std::pair<Format, Format> kOthers[] = {
      {Format::q2_k, Format::q4_0}, {Format::q3_k, Format::q4_0}, {Format::q4_k, Format::q5_0},
      {Format::q5_k, Format::q5_1}, {Format::q6_k, Format::q8_0}, {Format::iq4_xs, Format::iq4_nl}};
  for (const auto& [from, to] : kOthers) {
    if (from == format && fits(to)) return to;
  }
  return Format::f16;
}

// Counts what llama.cpp counts while it walks the tensors in the order of layers.
class Chooser {
 public:
  Chooser(const Mix& mix, const std::vector<MixTensor>& tensors, const MixModel& model)
      : mix_(mix), model_(model) {
    for (const MixTensor& t : tensors) {
      const Use use = use_of(t.name);
      if (use == Use::value) ++values_;
      if (use == Use::output) tied_ = false;
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
    const Use use = use_of(tensor.name);
    const Format format = mix_.format;
    if (use == Use::output || (tied_ && use == Use::embedding)) {
      if (format == Format::mxfp4 || cols % info(format).block_len != 0) return Format::q8_0;
      return format == Format::q8_0 ? format : Format::q6_k;
    }
    if (format == Format::mxfp4)
      return tensor.sizes.size() > 2 && tensor.sizes[0] > 1 ? format : Format::q8_0;
    switch (use) {
      case Use::value:
        return value_format();
      case Use::key:
        return model_.experts == 8 ? Format::q8_0 : format;
      case Use::attention_output:
        return attention_output_format();
      case Use::down:
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

MixModel mix_model(const Blueprint& bp) {
  MixModel model{.layers = static_cast<int>(bp.blocks.size())};
  for (const Block& b : bp.blocks) {
    if (const auto* a = std::get_if<AttentionPart>(&b.mixer); a != nullptr && model.gqa == 1)
      model.gqa = static_cast<int>(a->heads / a->kv_heads);
    if (const auto* e = std::get_if<ExpertFfnPart>(&b.ffn))
      model.experts = static_cast<int>(e->experts);
  }
  model.llama_70b = bp.family == "llama" && model.layers == 80 && model.gqa > 1;
  return model;
}

std::optional<Mix> mix_named(std::string_view name) {
  std::string lower = lower_case(std::string(name));
  Mix mix;
  if (lower.ends_with("_k_m") || lower.ends_with("_k_s")) {
    mix.rules = lower.ends_with("_m") ? Mix::Rules::medium : Mix::Rules::small;
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
  struct FileType {
    Format format;
    uint32_t number, medium;
  };
  constexpr FileType kTypes[] = {
      {Format::f16, 1, 1},      {Format::q4_0, 2, 2},   {Format::q4_1, 3, 3},
      {Format::q8_0, 7, 7},     {Format::q5_0, 8, 8},   {Format::q5_1, 9, 9},
      {Format::q2_k, 10, 10},   {Format::q3_k, 11, 12}, {Format::q4_k, 14, 15},
      {Format::q5_k, 16, 17},   {Format::q6_k, 18, 18}, {Format::iq4_nl, 25, 25},
      {Format::iq4_xs, 30, 30}, {Format::bf16, 32, 32}, {Format::mxfp4, 38, 38}};
  for (const FileType& type : kTypes) {
    if (type.format == mix.format)
      return mix.rules == Mix::Rules::medium ? type.medium : type.number;
  }
  return 0;
}

}  // namespace ashlar
