// Small blueprints of random parts and sizes: combinations that no published model has, and sizes
// at which tasks, pages, windows and kernels' tails begin and end.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <random>
#include <vector>

#include "blueprint/blueprint.h"

namespace ashlar::testing {

/// Choices that a seed decides.
class RandomChoice {
 public:
  explicit RandomChoice(uint64_t seed) : random_(seed) {}

  /// One of `from` to `to`.
  int64_t number(int64_t from, int64_t to) {
    return from + static_cast<int64_t>(random_() % static_cast<uint64_t>(to - from + 1));
  }
  /// True in `percent` of a hundred.
  bool chance(int64_t percent) { return number(1, 100) <= percent; }
  template <class T>
  T of(std::initializer_list<T> list) {
    return of(std::vector<T>(list));
  }
  template <class T>
  T of(const std::vector<T>& list) {
    return list[static_cast<size_t>(number(0, std::ssize(list) - 1))];
  }

 private:
  std::mt19937_64 random_;
};

class RandomBlueprint {
 public:
  explicit RandomBlueprint(uint64_t seed) : random_(seed) {}

  /// Of what check() takes: 1 to 4 layers, sequences up to `context`.
  Blueprint make(int64_t context) {
    Blueprint bp;
    bp.name = "random";
    bp.context = context;
    bp.embedding = {.vocab = random_.number(2, 70),
                    .width = random_.of<int64_t>({6, 8, 12, 16, 32, 34, 64, 96})};
    if (random_.chance(20)) bp.embedding.scale = 1.5;
    if (random_.chance(15)) bp.embedding.positions = context;
    if (random_.chance(10)) bp.embedding.sinusoidal = true;
    const int64_t layers = random_.number(1, 4);
    const Wiring wiring = some_wiring();
    for (int64_t i = 0; i < layers; ++i)
      bp.blocks.push_back({random_.chance(80) ? wiring : some_wiring(), some_mixer(), some_ffn()});
    if (random_.chance(90)) bp.final_norm = some_norm();
    bp.head = {.tied = random_.chance(50), .bias = random_.chance(20)};
    if (random_.chance(20)) bp.head.scale = 0.5;
    if (random_.chance(20)) bp.head.softcap = 30;
    check(bp);
    return bp;
  }

 private:
  Norm some_norm() {
    return {.kind = random_.of({NormKind::rms, NormKind::rms, NormKind::layer}),
            .eps = 1e-5,
            .bias = random_.chance(50)};
  }

  Wiring some_wiring() {
    const Norm norm = some_norm();
    const double scale = random_.chance(15) ? 0.7 : 1;
    switch (random_.number(0, 5)) {
      case 0:
        return PostNorm{norm, scale};
      case 1:
        return InnerPostNorm{norm, scale};
      case 2:
        return Sandwich{norm, scale};
      case 3:
        return Parallel{norm, scale};
      default:
        return PreNorm{norm, scale};
    }
  }

  RopePart some_rope(int64_t head_dim) {
    RopePart rope{.theta = random_.of({100.0, 1e4, 1e6}),
                  .layout = random_.of({RotationLayout::half, RotationLayout::interleaved})};
    if (head_dim > 2 && random_.chance(30)) rope.dim = 2 * random_.number(1, head_dim / 2);
    if (random_.chance(30)) {
      rope.scaling =
          random_.of({RotationScaling::linear, RotationScaling::llama3, RotationScaling::yarn});
      rope.factor = 4;
      rope.original_context = 32;
    }
    return rope;
  }

  AttentionPart some_attention() {
    AttentionPart a{.kv_heads = random_.of<int64_t>({1, 1, 2, 3, 4, 8}),
                    .head_dim = random_.of<int64_t>({2, 4, 6, 8, 16, 20, 32, 48, 64, 80, 128})};
    a.heads = a.kv_heads * random_.of<int64_t>({1, 1, 2, 3, 4, 7, 8});
    while (a.heads * a.head_dim > 256) {
      if (a.head_dim > 8)
        a.head_dim /= 2;
      else
        a.heads = a.kv_heads;
    }
    a.head_dim += a.head_dim % 2;
    if (random_.chance(20)) a.scale = 0.3;
    a.qkv_bias = random_.chance(25);
    a.output_bias = random_.chance(25);
    a.output_gate = random_.chance(15);
    a.qk_norm = random_.of(
        {QkNorm::none, QkNorm::none, QkNorm::per_head, QkNorm::projection, QkNorm::after_rope});
    if (random_.chance(75)) a.rope = some_rope(a.head_dim);
    if (random_.chance(10)) a.temperature = Temperature{.scale = 0.1, .length = 8};
    if (random_.chance(20)) a.softcap = 20;
    if (random_.chance(50)) a.window = random_.number(1, random_.of({8, 80, 300}));
    if (random_.chance(15)) a.chunk = random_.number(1, random_.of({8, 80, 300}));
    a.sinks = random_.chance(20);
    if (random_.chance(10)) a.log_length = 4;
    return a;
  }

  Mixer some_mixer() {
    const int64_t kind = random_.number(0, 9);
    if (kind == 0) {
      LatentAttentionPart m{.heads = random_.number(1, 5),
                            .query_rank = random_.chance(50) ? random_.number(1, 20) : 0,
                            .latent = random_.of<int64_t>({6, 16, 32, 64}),
                            .qk_nope = random_.of<int64_t>({4, 8, 16}),
                            .qk_rope = random_.of<int64_t>({2, 4, 8}),
                            .value_dim = random_.of<int64_t>({4, 5, 16}),
                            .bias = random_.chance(30)};
      m.rope = some_rope(m.qk_rope);
      return m;
    }
    if (kind == 1) {
      GatedDeltaNetPart d{.key_heads = random_.number(1, 3),
                          .key_dim = random_.of<int64_t>({4, 8, 16}),
                          .value_dim = random_.of<int64_t>({4, 6, 16}),
                          .conv_width = random_.number(1, 4)};
      d.value_heads = d.key_heads * random_.number(1, 3);
      return d;
    }
    return some_attention();
  }

  Ffn some_ffn() {
    const int64_t width = random_.of<int64_t>({3, 8, 16, 20, 32, 64, 100, 160});
    if (random_.chance(70)) {
      return DenseFfn{
          .width = width,
          .activation = random_.of({FfnActivation::gelu, FfnActivation::relu, FfnActivation::swiglu,
                                    FfnActivation::geglu, FfnActivation::clamped_swiglu,
                                    FfnActivation::gelu_exact, FfnActivation::geglu_exact}),
          .bias = random_.chance(30)};
    }
    ExpertFfnPart e{.experts = random_.of<int64_t>({1, 2, 4, 8, 12}), .width = width};
    e.top_k = random_.number(1, std::min<int64_t>(e.experts, 4));
    e.activation =
        random_.of({FfnActivation::swiglu, FfnActivation::geglu, FfnActivation::clamped_swiglu});
    e.bias = random_.chance(30);
    e.weigh_input = random_.chance(15);
    e.router.score =
        random_.of({RouteScore::softmax, RouteScore::sigmoid, RouteScore::softmax_selected});
    e.router.normalize = random_.chance(50);
    if (random_.chance(30)) e.router.scale = 1.7;
    if (random_.chance(20)) e.router.softcap = 30;
    e.router.bias = random_.chance(30);
    e.router.correction_bias = random_.chance(30);
    if (e.experts % 4 == 0 && e.top_k <= e.experts / 2 && random_.chance(40)) {
      e.router.groups = 4;
      e.router.keep_groups = 2;
      if (e.experts < 8) e.router.group_score = GroupScore::max;
    }
    if (random_.chance(30)) {
      e.shared = random_.number(1, 20);
      e.shared_bias = random_.chance(20);
      e.shared_gate = random_.chance(40);
    }
    if (random_.chance(10)) e.parallel = random_.number(1, 20);
    if (random_.chance(10)) e.output_scale = 0.7;
    return e;
  }

  RandomChoice random_;
};

}  // namespace ashlar::testing
