// A few steps of training, hashed.
#include "lab/numbers.h"

#include <map>
#include <mutex>

#include "base/hash.h"
#include "kernels/table.h"
#include "lab/tasks/task.h"
#include "runs/blueprint_change.h"
#include "train/init.h"
#include "train/trainer.h"

namespace ashlar::lab {
namespace {

class Rows : public TokenRows {
 public:
  explicit Rows(TaskRows rows) : rows_(std::move(rows)) {}
  int64_t rows() const override { return rows_.rows; }
  int64_t length() const override { return rows_.length; }
  void read(int64_t row, std::span<int32_t> ids) const override {
    std::copy_n(rows_.ids.begin() + row * rows_.length, rows_.length, ids.begin());
  }
  std::string fingerprint() const override { return "probe"; }
  std::string name() const override { return "probe"; }

 private:
  TaskRows rows_;
};

Blueprint probed() {
  return blueprint_of(Json::parse(R"({"base": "smollm2-135m", "change": {
    "layers": 3, "embedding.vocab": 24, "embedding.width": 40,
    "blocks[*].mixer.attention.heads": 4, "blocks[*].mixer.attention.kv_heads": 2,
    "blocks[*].mixer.attention.head_dim": 12, "blocks[*].mixer.attention.qk_norm": "per_head",
    "blocks[1].mixer.attention.window": 8, "blocks[1].wiring.sandwich": {"eps": 1e-05},
    "blocks[*].ffn.dense.width": 72,
    "blocks[1].ffn.experts": {"experts": 6, "top_k": 2, "width": 20, "shared": 20, "router": {}},
    "blocks[2].mixer.latent_attention": {"heads": 4, "latent": 20, "qk_nope": 8, "qk_rope": 4,
                                         "value_dim": 8, "rope": {"theta": 10000}}}})"));
}

std::string probe(Numbers numbers) {
  const Graph graph = graph_of(probed());
  const Rows rows(rows_of(*make_task("nested", {{"kinds", 12}, {"length", 40}}, 1), 4, 1, false));
  std::string bits;
  for (const OptimiserKind kind : {OptimiserKind::adamw, OptimiserKind::muon}) {
    ParameterArrays weights(graph.params());
    initialise(graph.params(), {.scheme = InitScheme::mitchell}, 1, weights);
    TrainSettings settings;
    settings.steps = 3;
    settings.batch = {.sequences = 4, .length = rows.length(), .micro = 4};
    settings.clip = 1;
    settings.optimiser.kind = kind;
    Trainer trainer(graph, weights, settings, rows, DataOrder::sequential,
                    {.threads = 1, .numbers = numbers});
    while (!trainer.finished()) trainer.step();
    for (size_t i = 0; i < weights.size(); ++i)
      bits += hex(xxh64(std::as_bytes(weights[static_cast<ParamId>(i)])));
  }
  return hex(hashed(bits));
}

}  // namespace

Json numbers_of_program(const std::string& precision) {
  static std::mutex mutex;
  static std::map<std::string, std::string> known;
  const std::lock_guard lock(mutex);
  auto it = known.find(precision);
  if (it == known.end()) {
    const Numbers numbers = precision == "bf16" ? Numbers::bf16 : Numbers::f32;
    it = known.emplace(precision, probe(numbers)).first;
  }
  return {{"version", ASHLAR_VERSION}, {"kernels", kernels::table("").name}, {"probe", it->second}};
}

}  // namespace ashlar::lab
