// Prompt lookup, draft models, and how many guesses are worth a step.
#include "generate/drafting.h"

#include <algorithm>

#include "base/error.h"
#include "generate/held_sequence.h"
#include "generate/mtp_drafter.h"

namespace ashlar {
namespace {

class LookupDrafter : public Drafter {
 public:
  std::vector<TokenId> guess(std::span<const TokenId> tokens, int64_t most) override {
    // The longest end that stood before counts, of equals the latest.
    constexpr size_t kLongest = 4, kShortest = 2;
    size_t best = kShortest - 1, from = 0;
    for (size_t end = tokens.size() - std::min<size_t>(tokens.size(), 1);
         end > best && best < kLongest; --end) {
      size_t same = 0;
      while (same < std::min(kLongest, end) &&
             tokens[end - 1 - same] == tokens[tokens.size() - 1 - same])
        ++same;
      if (same <= best) continue;
      best = same;
      from = end;
    }
    std::vector<TokenId> guessed;
    if (from == 0) return guessed;
    for (size_t i = from; i < from + static_cast<size_t>(most); ++i)
      guessed.push_back(i < tokens.size() ? tokens[i] : guessed[i - tokens.size()]);
    return guessed;
  }
};

class ModelDrafter : public Drafter {
 public:
  ModelDrafter(std::shared_ptr<const Model> model, const EngineOptions& options)
      : model_(std::move(model)), engine_(model_->graph, model_->weights, options) {}
  bool can_go_back() const { return engine_.can_go_back(); }

  std::vector<TokenId> guess(std::span<const TokenId> tokens, int64_t most) override {
    most = std::min(most, engine_.context() - static_cast<int64_t>(tokens.size()));
    if (most <= 0) return {};
    // The sequence holds `tokens` after this, and was evaluated from where it differed.
    std::span<const float> logits = evaluate(tokens.subspan(held_.go_back_to(tokens)));
    std::vector<TokenId> guessed;
    while (true) {
      guessed.push_back(
          static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      if (static_cast<int64_t>(guessed.size()) == most) return guessed;
      logits = evaluate({&guessed.back(), 1});
    }
  }

 private:
  std::span<const float> evaluate(std::span<const TokenId> tokens) {
    const Run run{held_.id(), tokens, Run::Logits::last};
    const auto logits = engine_.step({&run, 1});
    held_.tokens.insert(held_.tokens.end(), tokens.begin(), tokens.end());
    return logits;
  }

  std::shared_ptr<const Model> model_;  // keeps the weights
  Engine engine_;
  HeldSequence held_{engine_};
};

/// The first id that the two spell differently, as a sentence; empty: none. What one has more at
/// the end (rows that fill a table up) is no difference.
std::string vocabulary_difference(const Tokenizer& draft, const Tokenizer& target) {
  for (TokenId id = 0; id < std::min(draft.size(), target.size()); ++id) {
    const std::string a = draft.piece(id), b = target.piece(id);
    if (a != b) return fmt::format("token {} is \"{}\" there and \"{}\" here", id, a, b);
  }
  return "";
}

void check_vocabulary(const Model& draft, const Model& target) {
  const int64_t there = draft.blueprint.embedding.vocab, here = target.blueprint.embedding.vocab;
  std::string difference;
  if (draft.tokenizer && target.tokenizer)
    difference = vocabulary_difference(*draft.tokenizer, *target.tokenizer);
  else if (there != here)
    difference = fmt::format("it has {} tokens, this one {}", there, here);
  if (difference.empty()) return;
  fail(
      ErrorKind::invalid,
      "{}: cannot draft for {}: expected a model of the same vocabulary, but {}: choose a model of "
      "the same family",
      draft.source, target.source, difference);
}

}  // namespace

std::shared_ptr<Drafter> lookup_drafter() { return std::make_shared<LookupDrafter>(); }

std::shared_ptr<Drafter> model_drafter(const std::shared_ptr<const Model>& draft,
                                       const Model& target, EngineOptions options) {
  check_vocabulary(*draft, target);
  options.sequences = 1;
  const int64_t made_for = draft->blueprint.context;
  if (made_for > 0) options.context = std::min(options.context, made_for);
  auto drafter = std::make_shared<ModelDrafter>(draft, options);
  if (!drafter->can_go_back()) {
    fail(
        ErrorKind::unsupported,
        "{}: cannot draft: its recurrent layers cannot go back to an earlier token: choose another "
        "draft model, or lookup",
        draft->source);
  }
  return drafter;
}

Draft::Draft(const Engine& engine, const GenerateOptions& options)
    : engine_(engine),
      drafter_(engine.can_go_back() ? options.drafter : nullptr),
      max_tokens_(options.max_tokens),
      most_(options.draft_tokens),
      length_(most_) {
  if (options.drafter && most_ < 1)
    fail(ErrorKind::invalid, "`draft_tokens`: expected 1 or more, found {}", most_);
  mtp_ = dynamic_cast<MtpDrafter*>(drafter_.get());
  if (mtp_ != nullptr && !mtp_->serves(engine))
    fail(ErrorKind::invalid, "the drafter was made for another engine: make one for this");
}

void Draft::evaluated(SequenceId sequence, std::span<const TokenId> tokens, int64_t first,
                      std::span<const float> hidden) {
  if (mtp_ == nullptr) return;
  sequence_ = sequence;
  mtp_->evaluated(sequence, tokens, first, hidden);
}

void Draft::guess(std::span<const TokenId> tokens, Generation& result) {
  if (!drafter_) return;
  const int64_t positions = engine_.plan().positions;
  int64_t room = engine_.context() - static_cast<int64_t>(tokens.size());
  if (positions > 0) room = std::min(room, positions - static_cast<int64_t>(tokens.size()));
  // The step chooses a token after the last guess too.
  const int64_t wanted = max_tokens_ - static_cast<int64_t>(result.ids.size()) - 1;
  const int64_t most = std::min({length_, room, wanted, engine_.chunk() - 1});
  if (most < 1) return;
  if (mtp_ != nullptr) mtp_->serve(sequence_);
  tokens_ = drafter_->guess(tokens, most);
  tokens_.resize(std::min(tokens_.size(), static_cast<size_t>(most)));
  const auto foreign = std::find_if(tokens_.begin(), tokens_.end(),
                                    [&](TokenId id) { return id < 0 || id >= engine_.vocab(); });
  tokens_.erase(foreign, tokens_.end());
  result.drafted_tokens += static_cast<int64_t>(tokens_.size());
}

bool Draft::follows(TokenId id, Generation& result) {
  if (followed_ < tokens_.size() && tokens_[followed_] == id) {
    ++followed_;
    ++result.accepted_tokens;
    return true;
  }
  // Longer guesses after a good one, shorter ones after a bad one.
  if (!tokens_.empty())
    length_ = followed_ == tokens_.size() ? 2 * length_ : static_cast<int64_t>(followed_) + 1;
  length_ = std::min(length_, most_);
  tokens_.clear();
  followed_ = 0;
  return false;
}

}  // namespace ashlar
