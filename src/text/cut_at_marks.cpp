// Where a text of a SentencePiece vocabulary may be cut into words.
#include "text/cut_at_marks.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "base/utf8.h"

namespace ashlar {

namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";
constexpr uint32_t kMarkCharacter = 0x2581;
constexpr size_t kMostJoins = 16;

}  // namespace

PreTokenizer cut_at_marks(const BpeModel& model) {
  if (model.ignore_merges || model.byte_level || !model.byte_fallback) return nullptr;
  if (!model.continuing_prefix.empty() || !model.end_suffix.empty()) return nullptr;
  if (model.vocab.find(kMark) < 0) return nullptr;
  std::unordered_set<TokenId> byte_ids;
  for (int b = 0; b < 256; ++b) {
    const TokenId id = model.vocab.find(fmt::format("<0x{:02X}>", b));
    if (id < 0) return nullptr;  // characters may vanish or become unk
    byte_ids.insert(id);
  }
  std::vector<uint32_t> joins;  // characters before a mark that a merge may take along
  const auto found = [&](TokenId id, std::string_view left) {
    size_t at = utf8::previous(left, left.size());
    const uint32_t last = utf8::next(left, at);
    if (last == kMarkCharacter) return true;
    if (byte_ids.count(id) != 0) return false;
    if (std::find(joins.begin(), joins.end(), last) == joins.end()) joins.push_back(last);
    return joins.size() <= kMostJoins;
  };
  if (!model.merges.empty()) {
    std::vector<std::string_view> names(model.vocab.size() * 4 + 1024);
    for (size_t i = 0; i < model.vocab.size(); ++i) {
      const auto id = static_cast<size_t>(model.vocab.id(i));
      if (id >= names.size()) return nullptr;
      names[id] = model.vocab.name(i);
    }
    for (const BpeModel::Merge& m : model.merges) {
      const std::string_view left = names[static_cast<size_t>(m.left)];
      const std::string_view right = names[static_cast<size_t>(m.right)];
      if (left.empty() || !right.starts_with(kMark)) continue;
      if (!found(m.left, left)) return nullptr;
    }
  }
  if (!model.scores.empty()) {
    for (size_t i = 0; i < model.vocab.size(); ++i) {
      const std::string_view text = model.vocab.name(i);
      for (size_t at = text.find(kMark, 1); at < text.size(); at = text.find(kMark, at + 1)) {
        const TokenId left = model.vocab.find(text.substr(0, at));
        if (left < 0 || model.vocab.find(text.substr(at)) < 0) continue;
        if (!found(left, text.substr(0, at))) return nullptr;
      }
    }
  }
  return mark_pre_tokenizer(std::string(kMark), std::move(joins));
}

}  // namespace ashlar
