// Rows through the engine, some sequences of a row after the other, scored where logits lie.
#include "data/evaluate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>

#include "base/error.h"
#include "data/identity.h"
#include "kernels/likelihood.h"
#include "run/finite.h"

namespace ashlar {
namespace {

/// -log softmax(logits)[id]
class Scorer {
 public:
  explicit Scorer(size_t vocab)
      : likelihoods_(vocab),
        maxima_((vocab + kernels::kLikelihoodBlock - 1) / kernels::kLikelihoodBlock),
        sums_(maxima_.size()) {}
  double operator()(std::span<const float> logits, TokenId id) {
    const auto n = static_cast<int64_t>(logits.size());
    loops_.maxima(logits.data(), n, maxima_.data());
    const float most = *std::max_element(maxima_.begin(), maxima_.end());
    loops_.likelihoods(logits.data(), n, most, std::numbers::log2e_v<float>, 0, likelihoods_.data(),
                       sums_.data());
    double sum = 0;
    for (const double s : sums_) sum += s;
    return std::log(sum) - (static_cast<double>(logits[static_cast<size_t>(id)]) - most);
  }

 private:
  const kernels::LikelihoodLoops& loops_ = kernels::likelihood_loops();
  std::vector<float> likelihoods_, maxima_;
  std::vector<double> sums_;
};

void add(LossSum& to, double nats, double bytes) {
  ++to.tokens;
  to.nats += nats;
  to.bytes += bytes;
}

/// Half of the 95 % interval of sum(values) / sum(weights) over independent pairs.
double margin(const std::vector<std::pair<double, double>>& pairs) {
  double values = 0, weights = 0, squares = 0;
  for (const auto& [v, w] : pairs) {
    values += v;
    weights += w;
  }
  const auto n = static_cast<double>(pairs.size());
  if (n < 2 || weights <= 0) return 0;
  for (const auto& [v, w] : pairs) squares += std::pow(v - values / weights * w, 2);
  constexpr double kNormal95 = 1.959964;
  return kNormal95 * std::sqrt(squares * n / (n - 1)) / weights;
}

class Evaluator {
 public:
  Evaluator(const Model& model, const std::shared_ptr<const DataFolder>& data,
            const EvaluateOptions& options)
      : data_(*data),
        stream_(data->stream(options.split)),
        options_(options),
        rows_(folder_rows(data, options.split, options.rows)),
        engine_(model.graph, model.weights, engine_options(options)),
        score_(static_cast<size_t>(engine_.vocab())) {
    if (!model.tokenizer) return;
    const std::vector<TokenId> frame = model.tokenizer->encode("");
    if (!frame.empty() && model.tokenizer->bos() && frame[0] == *model.tokenizer->bos())
      bos_ = frame[0];
  }

  DataLoss run() {
    const int64_t all = rows_->rows();
    const int64_t wanted =
        options_.tokens > 0 ? std::clamp<int64_t>(options_.tokens / rows_->length(), 1, all) : all;
    for (int64_t i = 0; i < wanted; ++i) {
      row(i * all / wanted);
      if (options_.progress) options_.progress(i + 1, wanted);
    }
    std::vector<std::pair<double, double>> losses, bits;
    for (const auto& [text, sum] : texts_) {
      losses.emplace_back(sum.nats, static_cast<double>(sum.tokens));
      bits.emplace_back(sum.nats / std::numbers::ln2, sum.bytes);
    }
    result_.texts = static_cast<int64_t>(texts_.size());
    result_.loss_margin = margin(losses);
    result_.bits_per_byte_margin = margin(bits);
    for (const auto& [number, sum] : domains_)
      result_.domains.push_back({data_.manifest().domains.at(static_cast<size_t>(number)), sum});
    return result_;
  }

 private:
  static EngineOptions engine_options(const EvaluateOptions& options) {
    EngineOptions engine = options.engine;
    engine.context = options.rows.length + 1;
    engine.sequences = 1;
    return engine;
  }

  void row(int64_t number) {
    std::vector<int32_t> ids(static_cast<size_t>(rows_->length()));
    rows_->read(number, ids);
    std::vector<int64_t> ends = rows_->borders(number);
    ends.push_back(rows_->length());
    int64_t begin = 0;
    for (const int64_t end : ends) {
      sequence(std::span(ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
               number * rows_->length() + begin);
      begin = end;
    }
  }

  /// `first`: where in the stream the ids begin.
  void sequence(std::span<const int32_t> ids, int64_t first) {
    std::vector<TokenId> input(ids.begin(), ids.end());
    int64_t before = 0;
    if (bos_ && input[0] != *bos_) {
      input.insert(input.begin(), *bos_);
      before = 1;
    }
    int64_t document = stream_.document_at(first);
    LossSum& text = texts_[document];
    const auto id_open = engine_.open();
    if (!id_open) fail(ErrorKind::resource, "the engine has no free sequence");
    constexpr int64_t kPiece = 128;  // so that the logits of a large vocabulary stay small
    const auto vocab = static_cast<size_t>(engine_.vocab());
    const auto last = static_cast<int64_t>(input.size()) - 1;  // which predicts nothing
    for (int64_t at = 0; at < last; at += kPiece) {
      const int64_t n = std::min(kPiece, last - at);
      const Run run{
          *id_open,
          std::span<const TokenId>(input).subspan(static_cast<size_t>(at), static_cast<size_t>(n)),
          Run::Logits::all};
      const std::span<const float> logits = engine_.step({&run, 1});
      if (!all_finite(logits)) {
        engine_.close(*id_open);
        fail_not_finite(engine_,
                        std::span<const TokenId>(input).first(static_cast<size_t>(at + n)));
      }
      for (int64_t i = 0; i < n; ++i) {
        const int64_t place = at + i + 1 - before;  // in ids, of the predicted token
        if (place < 1) continue;
        const TokenId id = ids[static_cast<size_t>(place)];
        const double nats = score_(logits.subspan(static_cast<size_t>(i) * vocab, vocab), id);
        const double bytes = data_.bytes_of(options_.split, id);
        while (first + place >= stream_.document(document).end) ++document;
        add(result_.all, nats, bytes);
        add(text, nats, bytes);
        add(position(place).sum, nats, bytes);
        if (const int32_t domain = stream_.document(document).domain; domain >= 0)
          add(domains_[domain], nats, bytes);
      }
    }
    engine_.close(*id_open);
  }

  DataLoss::Position& position(int64_t known) {
    const auto bucket = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(known))) - 1;
    while (result_.positions.size() <= bucket) {
      const int64_t from = int64_t{1} << result_.positions.size();
      result_.positions.push_back({from, std::min(2 * from, rows_->length()) - 1, {}});
    }
    return result_.positions[bucket];
  }

  const DataFolder& data_;
  const TokenStream& stream_;
  const EvaluateOptions& options_;
  const std::unique_ptr<TokenRows> rows_;
  Engine engine_;
  Scorer score_;
  std::optional<TokenId> bos_;
  DataLoss result_;
  std::map<int64_t, LossSum> texts_;    // by the document in which a sequence begins
  std::map<int32_t, LossSum> domains_;  // by number
};

}  // namespace

double LossSum::bits_per_byte() const { return bytes > 0 ? nats / (bytes * std::numbers::ln2) : 0; }

DataLoss evaluate(const Model& model, const std::shared_ptr<const DataFolder>& data,
                  const EvaluateOptions& options) {
  const DataManifest& m = data->manifest();
  if (model.tokenizer && fingerprint_of(*model.tokenizer) != m.tokenizer_fingerprint) {
    fail(ErrorKind::invalid,
         "{}: is data of another tokenizer ({}, {} tokens) than the model's ({} tokens): build it "
         "with ashlar data build --tokenizer {}",
         data->path().string(), m.tokenizer, m.vocabulary, model.tokenizer->size(), model.source);
  }
  if (m.vocabulary > model.blueprint.embedding.vocab) {
    fail(ErrorKind::invalid, "{}: its tokenizer has {} tokens, the model's vocabulary {}",
         data->path().string(), m.vocabulary, model.blueprint.embedding.vocab);
  }
  return Evaluator(model, data, options).run();
}

}  // namespace ashlar
