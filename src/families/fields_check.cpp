// Sizes, lists and how they fit together, by the names of the file's keys.
#include "families/fields_check.h"

#include <variant>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr int64_t kMostLayers = 4096, kMostAhead = 16, kLargest = int64_t{1} << 30;

class Checks {
 public:
  Checks(const Fields& f, const FieldVisitor& v) : f_(f), v_(v) {}

  void sizes() const {
    range(f_.layers, 1, kMostLayers, "layers");
    range(f_.mtp_layers, 0, kMostAhead, "multi-token prediction layers");
    range(f_.vocab, 1, kLargest, "vocab");
    range(f_.d_model, 1, kLargest, "d_model");
    range(f_.heads, 1, kLargest, "heads");
    range(f_.kv_heads, 1, kLargest, "kv_heads");
    const bool latent = !v_.key_of(&f_.latent.latent, "").empty();
    range(latent ? f_.latent.latent : f_.head_dim, 1, kLargest, "head_dim");
    for (const auto& [name, value] : {std::pair{"positions", &f_.positions},
                                      std::pair{"ffn", &f_.ffn},
                                      std::pair{"context", &f_.context},
                                      std::pair{"window", &f_.window.size},
                                      std::pair{"chunk", &f_.window.chunk},
                                      std::pair{"experts", &f_.experts.experts},
                                      std::pair{"top_k", &f_.experts.top_k},
                                      std::pair{"expert_ffn", &f_.experts.width},
                                      std::pair{"shared experts", &f_.experts.shared_count},
                                      std::pair{"shared_ffn", &f_.experts.shared},
                                      std::pair{"latent", &f_.latent.latent},
                                      std::pair{"qk_nope", &f_.latent.qk_nope},
                                      std::pair{"qk_rope", &f_.latent.qk_rope},
                                      std::pair{"value_dim", &f_.latent.value_dim},
                                      std::pair{"query_rank", &f_.latent.query_rank},
                                      std::pair{"rope_interval", &f_.rotary.interval},
                                      std::pair{"window_pattern", &f_.window.pattern},
                                      std::pair{"full_layers", &f_.window.full_layers},
                                      std::pair{"dense_layers", &f_.experts.dense_layers},
                                      std::pair{"log_length", &f_.attention.log_length},
                                      std::pair{"linear key heads", &f_.delta.key_heads},
                                      std::pair{"linear value heads", &f_.delta.value_heads},
                                      std::pair{"linear key head dim", &f_.delta.key_dim},
                                      std::pair{"linear value head dim", &f_.delta.value_dim},
                                      std::pair{"convolution width", &f_.delta.conv_width}})
      range(*value, 0, kLargest, name);
    range(f_.experts.step, 1, kLargest, "expert_step");
    range(f_.experts.every, 1, kLargest, "expert_every");
    range(f_.experts.router.groups, 1, kLargest, "groups");
    range(f_.experts.router.keep_groups, 1, kLargest, "keep_groups");
    if (f_.experts.shared_count * f_.experts.width > kLargest)
      wrong(&f_.experts.shared_count, "shared experts", "fewer, of this width",
            f_.experts.shared_count);
    if (f_.eps < 0) wrong(&f_.eps, "eps", "0 or more", f_.eps);
    if (f_.attention.tempered) positive(f_.attention.temperature_length, "temperature_length");
  }

  void shares() const {
    if (f_.heads % f_.kv_heads != 0) {
      fail(ErrorKind::invalid, "{}: {}: {} heads do not divide among {} kv_heads", v_.where(),
           v_.key_of(&f_.kv_heads, "kv_heads"), f_.heads, f_.kv_heads);
    }
    bool used = false;
    for (int64_t i = 0; i < f_.layers && !used; ++i) used = f_.has_experts(i);
    if (!used) return;
    const ExpertFields& e = f_.experts;
    const int64_t& groups = e.router.groups;
    range(e.experts, 1, kLargest, "experts");
    positive(e.limit, "swiglu_limit");
    range(e.top_k, 1, e.experts, "top_k");
    range(e.router.keep_groups, 1, groups, "keep_groups");
    if (e.experts % groups != 0)
      wrong(&groups, "groups", fmt::format("groups that divide {} experts", e.experts), groups);
  }

  /// What a block is made of, whatever the rules of layers made of it.
  void block(const Block& b) const {
    std::visit([&](const auto& part) { mixer(part); }, b.mixer);
    std::visit([&](const auto& part) { ffn(part); }, b.ffn);
  }

  /// LongRoPE's tables: a divisor for each pair of numbers that rotates.
  void tables() const {
    const int64_t rotates = f_.rotary.dim > 0      ? f_.rotary.dim
                            : f_.latent.latent > 0 ? f_.latent.qk_rope
                                                   : f_.head_dim;
    for (const RopeFields* r : {&f_.rope, &f_.local_rope}) {
      if (r->type != "longrope") continue;
      for (const auto& [list, name] :
           {std::pair{&r->divisors, "short_factor"}, std::pair{&r->long_divisors, "long_factor"}}) {
        if (static_cast<int64_t>(list->size()) != rotates / 2)
          wrong(list, name, fmt::format("{} numbers, one per pair that rotates", rotates / 2),
                list->size());
        for (const double divisor : *list) {
          if (!(divisor > 0)) wrong(list, name, "positive numbers", divisor);
        }
      }
    }
  }

  void lists() const {
    length(f_.layer_types, "layer_types");
    length(f_.rotary.layers, "no_rope_layers");
    for (const std::string& type : f_.layer_types) {
      if (type == kLinearAttention && f_.delta.key_heads > 0) continue;
      if (type != "full_attention" && type != "sliding_attention" && type != "chunked_attention") {
        fail(ErrorKind::unsupported,
             "{}: layer_types: expected full_attention, sliding_attention or chunked_attention, "
             "found {}",
             v_.where(), type);
      }
      for (const auto& [kind, size, name] :
           {std::tuple{"sliding_attention", &f_.window.size, "sliding_window"},
            std::tuple{"chunked_attention", &f_.window.chunk, "attention_chunk_size"}}) {
        if (type == kind && *size == 0)
          wrong(size, name, fmt::format("a size, for layer_types has {}", type), *size);
      }
    }
    for (const std::vector<int64_t>* list : {&f_.experts.dense_list, &f_.experts.layers}) {
      for (const int64_t layer : *list) {
        if (layer < -1 || layer >= kMostLayers) wrong(list, "layers", "numbers of layers", layer);
      }
    }
  }

  void ropes() const {
    for (const RopeFields* r : {&f_.rope, &f_.local_rope}) {
      if (r->theta < 0) positive(r->theta, "rope_theta");
      const bool grows = r->type == "llama3" || r->type == "yarn" || r->type == "longrope";
      if (grows && r->original < 1)
        wrong(&r->original, "original_max_position_embeddings", "at least 1", r->original);
      const bool needs = r->type == "linear" || r->type == "llama3";
      if (r->factor < 0 || (needs && r->factor == 0)) positive(r->factor, "factor");
    }
  }

 private:
  void mixer(const AttentionPart& a) const {
    if (!a.rope) return;
    const int64_t rotates = a.rope->dim == 0 ? a.head_dim : a.rope->dim;
    if (rotates >= 2 && rotates % 2 == 0 && rotates <= a.head_dim) return;
    const void* member = &f_.rotary.dim;
    if (a.rope->dim == 0 || v_.key_of(member, "").empty()) member = &f_.head_dim;
    if (v_.key_of(member, "").empty()) member = &f_.d_model;
    wrong(member, "head_dim",
          fmt::format("an even number of each head that rotates, up to {}", a.head_dim), rotates);
  }
  void mixer(const LatentAttentionPart&) const {
    const LatentFields& m = f_.latent;
    for (const auto& [value, name] :
         {std::pair{&m.latent, "latent"}, std::pair{&m.qk_nope, "qk_nope"},
          std::pair{&m.qk_rope, "qk_rope"}, std::pair{&m.value_dim, "value_dim"}})
      range(*value, 1, kLargest, name);
    if (m.qk_rope % 2 != 0) wrong(&m.qk_rope, "qk_rope", "an even number", m.qk_rope);
  }
  void mixer(const GatedDeltaNetPart&) const {
    const DeltaFields& d = f_.delta;
    for (const auto& [value, name] : {std::pair{&d.key_heads, "linear key heads"},
                                      std::pair{&d.value_heads, "linear value heads"},
                                      std::pair{&d.key_dim, "linear key head dim"},
                                      std::pair{&d.value_dim, "linear value head dim"},
                                      std::pair{&d.conv_width, "convolution width"}})
      range(*value, 1, kLargest, name);
    if (d.value_heads % d.key_heads != 0)
      wrong(&d.value_heads, "linear value heads",
            fmt::format("a multiple of the {} key heads", d.key_heads), d.value_heads);
  }

  void ffn(const DenseFfn&) const { range(f_.ffn, 1, kLargest, "ffn"); }
  void ffn(const ExpertFfnPart& e) const {
    if (e.shared_gate) range(f_.experts.shared, 1, kLargest, "shared_ffn");
    range(f_.experts.experts, 1, kLargest, "experts");
    range(f_.experts.top_k, 1, f_.experts.experts, "top_k");
    const bool own = !v_.key_of(&f_.experts.width, "").empty();
    range(own ? f_.experts.width : f_.ffn, 1, kLargest, "expert_ffn");
    range(f_.experts.router.keep_groups, 1, f_.experts.router.groups, "keep_groups");
    const int64_t kept =
        f_.experts.router.keep_groups * (f_.experts.experts / f_.experts.router.groups);
    if (kept < f_.experts.top_k)
      wrong(&f_.experts.top_k, "top_k", fmt::format("1 to {} within the groups kept", kept),
            f_.experts.top_k);
  }

  template <class T, class E>
  [[noreturn]] void wrong(const void* member, std::string_view name, const E& expected,
                          T found) const {
    fail(ErrorKind::format, "{}: {}: expected {}, found {}", v_.where(), v_.key_of(member, name),
         expected, found);
  }
  void range(const int64_t& value, int64_t least, int64_t most, std::string_view name) const {
    if (value < least || value > most)
      wrong(&value, name, fmt::format("{} to {}", least, most), value);
  }
  void positive(const double& value, std::string_view name) const {
    if (!(value > 0)) wrong(&value, name, "a positive number", value);
  }
  template <class T>
  void length(const std::vector<T>& list, std::string_view name) const {
    if (!list.empty() && list.size() != static_cast<size_t>(f_.layers))
      wrong(&list, name, fmt::format("{} entries, one per layer", f_.layers), list.size());
  }

  const Fields& f_;
  const FieldVisitor& v_;
};

}  // namespace

void check_fields(const Fields& f, const FieldVisitor& v) {
  const Checks checks(f, v);
  checks.sizes();
  checks.lists();
  checks.tables();
  checks.shares();
}

void check_parts(const Blueprint& blueprint, const Fields& f, const FieldVisitor& v) {
  const Checks checks(f, v);
  checks.ropes();
  for (const std::vector<Block>* blocks : {&blueprint.blocks, &blueprint.mtp}) {
    for (const Block& block : *blocks) checks.block(block);
  }
}

}  // namespace ashlar
