// What a training run reads: rows of token ids of equal length, in an order that a seed and a
// position give, without state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "graph/batch.h"

namespace ashlar {

/// A source of rows. Rows are read by any number, in any order, and never change during a run.
class TokenRows {
 public:
  virtual ~TokenRows() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t length() const = 0;  // tokens of each row
  /// `ids` has length() places.
  virtual void read(int64_t row, std::span<int32_t> ids) const = 0;
  /// Where in a row, after its beginning, another document begins that shall not see what stands
  /// before; none: the row is one text.
  virtual std::vector<int64_t> borders(int64_t /*row*/) const { return {}; }
  /// Bytes of text behind the tokens that a row has predicted (all but its first); nothing where
  /// the text is not known.
  virtual std::optional<int64_t> predicted_bytes(int64_t /*row*/) const { return {}; }
  /// All ids are below it; nothing where only reading tells.
  virtual std::optional<int64_t> vocabulary() const { return {}; }
  /// Rows from rows() on that read() knows too; none comes but by replace().
  virtual int64_t more_rows() const { return 0; }
  /// Puts other rows, those from rows() on, in the place of those due at `step` (from 1).
  virtual void replace(int64_t /*step*/, std::span<int64_t> /*rows*/) const {}
  /// Equal for equal rows: a run does not go on with other data than it began with.
  virtual std::string fingerprint() const = 0;
  virtual std::string name() const = 0;  // for messages: the file
};

/// A .npy matrix [sequences, length] of ids. Throws Error.
std::unique_ptr<TokenRows> npy_rows(const std::filesystem::path& file);

/// `count` rows of them, evenly spaced; all where there are no more.
std::unique_ptr<TokenRows> evenly_chosen(std::unique_ptr<TokenRows> rows, int64_t count);

/// Texts that are put in the way of a run at given steps.
struct Injection {
  std::vector<int64_t> steps;  // from 1
  int64_t rows = 1;            // of each of these steps, from its first one on
  std::vector<int32_t> ids;    // repeated until the row is full
};
/// Throws Error(invalid) for an injection without steps, rows or ids.
std::unique_ptr<TokenRows> with_injections(std::unique_ptr<TokenRows> rows,
                                           std::vector<Injection> injections);

enum class DataOrder : uint8_t { sequential, shuffled };
ASHLAR_NAMES(DataOrder, sequential, shuffled);

/// The row at position n of a run: rows one after the other, or in another order every time all of
/// them have been read.
int64_t row_at(DataOrder order, uint64_t seed, int64_t n, int64_t rows);

/// A permutation of 0 .. count - 1 for each (seed, epoch), one number at a time.
int64_t permuted(int64_t i, int64_t count, uint64_t seed, uint64_t epoch);

/// Rows as sequences of one batch.
TokenBatch batch_of_rows(const TokenRows& data, std::span<const int64_t> rows);
/// Tokens of a batch that have a successor: those that the loss is the mean of.
int64_t predicted_tokens(const TokenBatch& batch);

/// Throws Error(invalid) for an id outside of the vocabulary, naming its row.
void check_ids(const TokenRows& data, int64_t vocab);

}  // namespace ashlar
