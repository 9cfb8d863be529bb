// Matrices of ids, and the order in which rows are taken.
#include "train/data.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/hash.h"
#include "formats/npy.h"
#include "ops/loss.h"

namespace ashlar {
namespace {

class NpyRows : public TokenRows {
 public:
  explicit NpyRows(const std::filesystem::path& file) : matrix_(file), name_(file.string()) {
    if (matrix_.rows() < 1 || matrix_.cols() < 2) {
      fail(ErrorKind::invalid,
           "{}: expected at least one sequence of at least two tokens, found [{}, {}]", name_,
           matrix_.rows(), matrix_.cols());
    }
  }
  int64_t rows() const override { return matrix_.rows(); }
  int64_t length() const override { return matrix_.cols(); }
  void read(int64_t row, std::span<int32_t> ids) const override { matrix_.read(row, ids); }
  std::string fingerprint() const override {
    return fmt::format("npy {} {} {}", matrix_.rows(), matrix_.cols(), hex(xxh64(matrix_.bytes())));
  }
  std::string name() const override { return name_; }

 private:
  NpyIntegers matrix_;
  std::string name_;
};

/// Rows that are those of another source, but for what is overridden.
class OtherRows : public TokenRows {
 public:
  explicit OtherRows(std::unique_ptr<TokenRows> rows) : rows_(std::move(rows)) {}
  int64_t rows() const override { return rows_->rows(); }
  int64_t length() const override { return rows_->length(); }
  void read(int64_t row, std::span<int32_t> ids) const override { rows_->read(row, ids); }
  std::vector<int64_t> borders(int64_t row) const override { return rows_->borders(row); }
  std::optional<int64_t> predicted_bytes(int64_t row) const override {
    return rows_->predicted_bytes(row);
  }
  std::optional<int64_t> vocabulary() const override { return rows_->vocabulary(); }
  std::string fingerprint() const override { return rows_->fingerprint(); }
  std::string name() const override { return rows_->name(); }

 protected:
  const TokenRows& base() const { return *rows_; }

 private:
  std::unique_ptr<TokenRows> rows_;
};

class EvenRows : public OtherRows {
 public:
  EvenRows(std::unique_ptr<TokenRows> rows, int64_t count)
      : OtherRows(std::move(rows)), count_(std::min(count, base().rows())) {}
  int64_t rows() const override { return count_; }
  void read(int64_t row, std::span<int32_t> ids) const override { base().read(at(row), ids); }
  std::vector<int64_t> borders(int64_t row) const override { return base().borders(at(row)); }
  std::optional<int64_t> predicted_bytes(int64_t row) const override {
    return base().predicted_bytes(at(row));
  }
  std::string fingerprint() const override {
    return fmt::format("{} of {}", count_, base().fingerprint());
  }

 private:
  int64_t at(int64_t row) const { return row * base().rows() / count_; }
  const int64_t count_;
};

class InjectedRows : public OtherRows {
 public:
  InjectedRows(std::unique_ptr<TokenRows> rows, std::vector<Injection> injections)
      : OtherRows(std::move(rows)), injections_(std::move(injections)) {
    std::string all;
    for (size_t i = 0; i < injections_.size(); ++i) {
      const Injection& inject = injections_[i];
      if (inject.steps.empty() || inject.rows < 1 || inject.ids.empty()) {
        fail(ErrorKind::invalid,
             "data.inject[{}]: expected steps, at least one row, and a text or ids", i);
      }
      const auto note = [&](int64_t n) { all += fmt::format("{} ", n); };
      for (const int64_t step : inject.steps) {
        if (step < 1) fail(ErrorKind::invalid, "data.inject[{}].steps: expected steps from 1", i);
        note(step);
      }
      note(-inject.rows);
      for (const int32_t id : inject.ids) note(id);
    }
    hash_ = hex(hashed(all));
  }
  void read(int64_t row, std::span<int32_t> ids) const override {
    if (row < rows()) return base().read(row, ids);
    const std::vector<int32_t>& from = injections_[static_cast<size_t>(row - rows())].ids;
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = from[i % from.size()];
  }
  std::vector<int64_t> borders(int64_t row) const override {
    return row < rows() ? base().borders(row) : std::vector<int64_t>{};
  }
  std::optional<int64_t> predicted_bytes(int64_t row) const override {
    return row < rows() ? base().predicted_bytes(row) : std::nullopt;
  }
  int64_t more_rows() const override { return static_cast<int64_t>(injections_.size()); }
  void replace(int64_t step, std::span<int64_t> due) const override {
    size_t next = 0;
    for (size_t i = 0; i < injections_.size(); ++i) {
      const Injection& inject = injections_[i];
      if (std::find(inject.steps.begin(), inject.steps.end(), step) == inject.steps.end()) continue;
      for (int64_t r = 0; r < inject.rows && next < due.size(); ++r)
        due[next++] = rows() + static_cast<int64_t>(i);
    }
  }
  std::string fingerprint() const override {
    return fmt::format("{} with {}", base().fingerprint(), hash_);
  }

 private:
  const std::vector<Injection> injections_;
  std::string hash_;
};

}  // namespace

std::unique_ptr<TokenRows> evenly_chosen(std::unique_ptr<TokenRows> rows, int64_t count) {
  return std::make_unique<EvenRows>(std::move(rows), std::max<int64_t>(count, 1));
}

std::unique_ptr<TokenRows> with_injections(std::unique_ptr<TokenRows> rows,
                                           std::vector<Injection> injections) {
  return std::make_unique<InjectedRows>(std::move(rows), std::move(injections));
}

std::unique_ptr<TokenRows> npy_rows(const std::filesystem::path& file) {
  return std::make_unique<NpyRows>(file);
}

// Four rounds of a Feistel network over the least even number of bits that holds the count, walked
// until the result is below the count.
int64_t permuted(int64_t i, int64_t count, uint64_t seed, uint64_t epoch) {
  if (count < 2) return 0;
  const int half = (std::bit_width(static_cast<uint64_t>(count - 1)) + 1) / 2;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  const uint64_t key = mixed(mixed(seed) ^ epoch);
  auto x = static_cast<uint64_t>(i);
  do {
    uint64_t left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < 4; ++round) {
      const uint64_t next = left ^ (mixed(key ^ (round << 60) ^ right) & mask);
      left = right;
      right = next;
    }
    x = left << half | right;
  } while (x >= static_cast<uint64_t>(count));
  return static_cast<int64_t>(x);
}

int64_t row_at(DataOrder order, uint64_t seed, int64_t n, int64_t rows) {
  const int64_t i = n % rows;
  if (order == DataOrder::sequential) return i;
  return permuted(i, rows, seed, static_cast<uint64_t>(n / rows));
}

TokenBatch batch_of_rows(const TokenRows& data, std::span<const int64_t> rows) {
  TokenBatch batch;
  const auto length = static_cast<size_t>(data.length());
  batch.tokens.resize(rows.size() * length);
  batch.positions.reserve(batch.tokens.size());
  batch.sequences.reserve(batch.tokens.size());
  int32_t sequence = 0;
  for (size_t r = 0; r < rows.size(); ++r, ++sequence) {
    data.read(rows[r], std::span(batch.tokens).subspan(r * length, length));
    const std::vector<int64_t> borders = data.borders(rows[r]);
    size_t next = 0;
    int32_t position = 0;
    for (size_t i = 0; i < length; ++i) {
      if (next < borders.size() && borders[next] == static_cast<int64_t>(i)) {
        ++next;
        ++sequence;
        position = 0;
      }
      batch.positions.push_back(position++);
      batch.sequences.push_back(sequence);
    }
  }
  return batch;
}

int64_t predicted_tokens(const TokenBatch& batch) {
  int64_t n = 0;
  for (const int64_t row : next_rows(batch)) n += row >= 0 ? 1 : 0;
  return n;
}

void check_ids(const TokenRows& data, int64_t vocab) {
  const std::optional<int64_t> known = data.vocabulary();
  if (known && *known > vocab) {
    fail(ErrorKind::invalid,
         "{}: its tokenizer has {} tokens, the model's vocabulary {}: the data is of another "
         "tokenizer, or embedding.vocab is too small",
         data.name(), *known, vocab);
  }
  std::vector<int32_t> ids(static_cast<size_t>(data.length()));
  for (int64_t r = known ? data.rows() : 0; r < data.rows() + data.more_rows(); ++r) {
    data.read(r, ids);
    for (const int32_t id : ids) {
      if (id >= 0 && id < vocab) continue;
      fail(ErrorKind::invalid,
           "{}: {} holds the token id {}, the model's vocabulary has 0 to {}: the data is of "
           "another tokenizer, or embedding.vocab is too small",
           data.name(),
           r < data.rows() ? fmt::format("row {}", r)
                           : fmt::format("data.inject[{}]", r - data.rows()),
           id, vocab - 1);
    }
  }
}

}  // namespace ashlar
