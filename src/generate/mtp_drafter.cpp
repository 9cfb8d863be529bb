// Hidden states of the trunk in, guesses out.
#include "generate/mtp_drafter.h"

#include <algorithm>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr GraphId kLayer = 1;

}  // namespace

Engine engine_of(const Model& model, const EngineOptions& options, bool mtp) {
  if (!mtp) return Engine(model.graph, model.weights, options);
  if (model.blueprint.mtp.empty()) {
    fail(ErrorKind::unsupported,
         "{}: cannot draft for itself: it has no layer for multi-token prediction, or its file has "
         "not: draft with lookup or another model",
         model.source);
  }
  const Graph graphs[] = {trunk_graph_of(model.blueprint), mtp_layer_of(model.blueprint)};
  return Engine(graphs, model.weights, options);
}

size_t width_of_hidden(const Engine& engine) {
  return static_cast<size_t>(engine.plan().outputs.at(1).width);
}

MtpDrafter::MtpDrafter(Engine& engine) : engine_(engine), width_(width_of_hidden(engine)) {}

void MtpDrafter::evaluated(SequenceId sequence, std::span<const TokenId> tokens, int64_t first,
                           std::span<const float> hidden) {
  sequence_ = sequence;
  if (hidden.empty()) return;
  Waiting& waiting = waiting_[sequence];
  std::vector<float>& rows = waiting.rows;
  int64_t length = engine_.length(sequence, kLayer);
  if (waiting.first != length) rows.clear();
  // Where the sequence has gone back, the last row that stays may have been made of another next
  // token: guesses may be the worse for it, never the text.
  if (length > first) {
    length = engine_.can_truncate(sequence, first, kLayer) ? first : 0;
    engine_.truncate(sequence, length, kLayer);
    rows.clear();
  }
  waiting.first = length;
  const auto kept = static_cast<size_t>(first - length) * width_;
  if (rows.size() < kept) {  // evaluated without this drafter: there is no past to guess from
    rows.clear();
    return;
  }
  rows.resize(kept);
  rows.insert(rows.end(), hidden.begin(), hidden.end());
  // The last one waits for guess(), which wants its logits.
  if (const int64_t count = ready(tokens); count > 1)
    evaluate(tokens, count - 1, Run::Logits::none);
}

int64_t MtpDrafter::ready(std::span<const TokenId> tokens) const {
  const auto found = waiting_.find(sequence_);
  if (found == waiting_.end()) return 0;
  const Waiting& waiting = found->second;
  return std::min(static_cast<int64_t>(waiting.rows.size() / width_),
                  static_cast<int64_t>(tokens.size()) - 1 - waiting.first);
}

std::span<const float> MtpDrafter::evaluate(std::span<const TokenId> tokens, int64_t count,
                                            Run::Logits logits) {
  Waiting& waiting = waiting_[sequence_];
  const auto n = static_cast<size_t>(count);
  const std::span<const float> given = std::span(waiting.rows).first(n * width_);
  const Run run{.sequence = sequence_,
                .tokens = tokens.subspan(static_cast<size_t>(waiting.first) + 1, n),
                .logits = logits,
                .given = {&given, 1}};
  const auto out = engine_.step({&run, 1}, {}, kLayer);
  waiting.rows.erase(waiting.rows.begin(),
                     waiting.rows.begin() + static_cast<ptrdiff_t>(n * width_));
  waiting.first += count;
  return out;
}

std::vector<TokenId> MtpDrafter::guess(std::span<const TokenId> tokens, int64_t most) {
  const int64_t count = ready(tokens);
  const int64_t end = static_cast<int64_t>(tokens.size()) - 1;  // that graph 1 is to hold
  if (most < 1 || count < 1 || waiting_[sequence_].first + count != end) return {};
  std::span<const float> logits = evaluate(tokens, count, Run::Logits::last);
  waiting_[sequence_].rows.clear();  // of guesses that were wrong
  std::vector<TokenId> guessed;
  while (true) {
    guessed.push_back(
        static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (static_cast<int64_t>(guessed.size()) == most) break;
    const auto row = engine_.output("hidden", kLayer);
    const std::vector<float> own(row.begin(), row.end());
    const std::span<const float> given = own;
    const Run run{.sequence = sequence_,
                  .tokens = {&guessed.back(), 1},
                  .logits = Run::Logits::last,
                  .given = {&given, 1}};
    logits = engine_.step({&run, 1}, {}, kLayer);
  }
  engine_.truncate(sequence_, end, kLayer);
  return guessed;
}

std::shared_ptr<Drafter> mtp_drafter(Engine& engine) {
  if (engine.plan().outputs.size() != 2) {
    fail(ErrorKind::invalid,
         "the engine was made without the model's layer for multi-token prediction: choose `mtp` "
         "in its options");
  }
  if (!engine.can_go_back() || !engine.can_go_back(kLayer)) {
    fail(ErrorKind::unsupported,
         "its recurrent layers cannot go back to an earlier token, so that the model cannot draft");
  }
  return std::make_shared<MtpDrafter>(engine);
}

}  // namespace ashlar
