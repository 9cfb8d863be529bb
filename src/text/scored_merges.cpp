// Merges by score: the list of all, and those that are asked for.
#include "text/scored_merges.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/thread_pool.h"
#include "base/utf8.h"

namespace ashlar {
namespace {

// A token of many kilobytes in a hostile file must not cost its square.
constexpr size_t kLongest = 4096;

struct Candidate {
  float score;
  uint32_t left_size, right_size;  // characters
  BpeModel::Merge merge;
};

bool more_urgent(const Candidate& a, const Candidate& b) {
  return std::tuple(-a.score, b.left_size, b.right_size, a.merge.result) <
         std::tuple(-b.score, a.left_size, a.right_size, b.merge.result);
}

/// The ways to make the tokens with these indices of the vocabulary from two.
std::vector<Candidate> candidates(const BpeModel& model, std::span<const uint32_t> names) {
  std::vector<Candidate> all;
  std::vector<std::string_view> parts;
  std::vector<TokenId> ids;
  for (const uint32_t name : names) {
    const std::string_view text = model.vocab.name(name);
    const TokenId id = model.vocab.id(name);
    if (text.size() > kLongest) continue;
    parts.clear();
    for (size_t cut = 0; cut < text.size();) {
      cut += utf8::length(static_cast<unsigned char>(text[cut]));
      if (cut >= text.size()) break;
      parts.push_back(text.substr(0, cut));
      parts.push_back(text.substr(cut));
    }
    ids.resize(parts.size());
    model.vocab.find_all(parts, ids.data());
    const auto size = static_cast<uint32_t>(parts.size() / 2 + 1);
    for (uint32_t left_size = 1; left_size < size; ++left_size) {
      const TokenId left = ids[2 * left_size - 2], right = ids[2 * left_size - 1];
      if (left < 0 || right < 0) continue;
      all.push_back(
          {model.scores[static_cast<size_t>(id)], left_size, size - left_size, {left, right, id}});
    }
  }
  return all;
}

uint64_t pair_of(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

uint32_t characters(std::string_view text) {
  return static_cast<uint32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<BpeModel::Merge> merges_from_scores(const BpeModel& model) {
  constexpr size_t kSlice = 8192;
  std::vector<uint32_t> names(model.vocab.size());
  std::iota(names.begin(), names.end(), 0u);
  std::vector<std::vector<Candidate>> slices((names.size() + kSlice - 1) / kSlice);
  parallel_for(static_cast<int64_t>(slices.size()), [&](int64_t i, int) {
    const size_t begin = static_cast<size_t>(i) * kSlice;
    slices[static_cast<size_t>(i)] =
        candidates(model, std::span(names).subspan(begin, std::min(kSlice, names.size() - begin)));
  });
  std::vector<Candidate> all;
  for (const auto& slice : slices) all.insert(all.end(), slice.begin(), slice.end());
  std::sort(all.begin(), all.end(), more_urgent);
  std::vector<BpeModel::Merge> merges;
  merges.reserve(all.size());
  for (const Candidate& c : all) merges.push_back(c.merge);
  return merges;
}

ScoredMerges::ScoredMerges(const BpeModel& model)
    : vocab_(model.vocab), tokens_(model.scores.size()) {
  const auto score = [&](uint32_t name) {
    return model.scores[static_cast<size_t>(vocab_.id(name))];
  };
  std::vector<uint32_t> order(vocab_.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto higher = [&](uint32_t a, uint32_t b) { return score(a) > score(b); };
  if (!std::is_sorted(order.begin(), order.end(), higher))
    std::stable_sort(order.begin(), order.end(), higher);
  uint32_t rank = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && score(order[end]) == score(order[begin])) ++end;
    for (size_t i = begin; i < end; ++i)
      tokens_[static_cast<size_t>(vocab_.id(order[i]))] = {order[i], rank, end > begin + 1};
    if (end == begin + 1) {
      const std::string_view text = vocab_.name(order[begin]);
      if (text.size() <= kLongest) rank += characters(text);
    } else {
      std::vector<Candidate> tied = candidates(model, std::span(order).subspan(begin, end - begin));
      std::sort(tied.begin(), tied.end(), more_urgent);
      for (const Candidate& c : tied)
        tied_[pair_of(c.merge.left, c.merge.right)] = {rank++, c.merge.result};
    }
    begin = end;
  }
}

std::string_view ScoredMerges::text_of(TokenId id) const {
  const uint32_t name =
      static_cast<size_t>(id) < tokens_.size() ? tokens_[static_cast<size_t>(id)].name : UINT32_MAX;
  return name == UINT32_MAX ? std::string_view() : vocab_.name(name);
}

ScoredMerges::Merge ScoredMerges::find(TokenId left, TokenId right, std::string& room) const {
  const std::string_view first = text_of(left), second = text_of(right);
  if (first.empty() || second.empty() || first.size() + second.size() > kLongest) return {0, -1};
  room.assign(first);
  room += second;
  const TokenId result = vocab_.find(room);
  if (result < 0) return {0, -1};
  const Token& token = tokens_[static_cast<size_t>(result)];
  if (!token.tied) return {token.rank + characters(second) - 1, result};
  const auto found = tied_.find(pair_of(left, right));
  return found == tied_.end() ? Merge{0, -1} : found->second;
}

}  // namespace ashlar
