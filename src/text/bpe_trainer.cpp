// Pairs in a heap; a merge changes the counts of the pairs around it alone.
#include "text/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <map>
#include <queue>
#include <unordered_set>

#include "base/cpus.h"
#include "base/error.h"
#include "base/json.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"

namespace ashlar {
namespace {

using Counts = std::unordered_map<std::string, int64_t>;

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}
int32_t left_of(uint64_t key) { return static_cast<int32_t>(key >> 32); }
int32_t right_of(uint64_t key) { return static_cast<int32_t>(key & 0xFFFFFFFFU); }

struct Word {
  std::vector<int32_t> symbols;
  int64_t count = 0;
};

/// A pair with its count when it came into the heap, and words that held it then. A pair may be in
/// the heap several times, with other words each.
struct Candidate {
  uint64_t pair = 0;
  int64_t count = 0;
  std::vector<uint32_t> words;
  /// Below in the heap: rarer, or of the same count with higher ids.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

class Trainer {
 public:
  Trainer(const WordCounts& words, TrainedBpe& bpe) : bpe_(bpe) {
    std::array<int32_t, 256> of_byte{};
    for (size_t id = 0; id < bpe.tokens.size(); ++id) {
      known_[bpe.tokens[id]] = static_cast<int32_t>(id);
      if (id < bpe.special.size()) continue;
      size_t at = 0;
      of_byte[static_cast<size_t>(char_to_byte(utf8::next(bpe.tokens[id], at)))] =
          static_cast<int32_t>(id);
    }
    // In an order that does not depend on the map's.
    const std::map<std::string_view, int64_t> sorted(words.words().begin(), words.words().end());
    std::unordered_map<uint64_t, std::vector<uint32_t>> where;
    for (const auto& [text, count] : sorted) {
      Word word{{}, count};
      for (const char c : text) word.symbols.push_back(of_byte[static_cast<unsigned char>(c)]);
      const auto index = static_cast<uint32_t>(words_.size());
      for (size_t i = 0; i + 1 < word.symbols.size(); ++i) {
        const uint64_t key = key_of(word.symbols[i], word.symbols[i + 1]);
        counts_[key] += count;
        std::vector<uint32_t>& list = where[key];
        if (list.empty() || list.back() != index) list.push_back(index);
      }
      words_.push_back(std::move(word));
    }
    for (auto& [key, list] : where) heap_.push({key, counts_[key], std::move(list)});
  }

  void run(const BpeTrainerOptions& options) {
    while (static_cast<int64_t>(bpe_.tokens.size()) < options.vocab && !heap_.empty()) {
      Candidate top = heap_.top();
      heap_.pop();
      const int64_t now = counts_[top.pair];
      if (top.count != now) {
        top.count = now;
        heap_.push(std::move(top));
        continue;
      }
      if (top.count < std::max<int64_t>(1, options.min_frequency)) break;
      merge(top);
      if (options.progress)
        options.progress(static_cast<int64_t>(bpe_.tokens.size()), options.vocab);
    }
    // A pair that came twice counts where it came last, as a map of pairs has it.
    std::unordered_set<uint64_t> later;
    std::vector<std::pair<int32_t, int32_t>> merges;
    for (auto it = bpe_.merges.rbegin(); it != bpe_.merges.rend(); ++it) {
      if (later.insert(key_of(it->first, it->second)).second) merges.push_back(*it);
    }
    std::reverse(merges.begin(), merges.end());
    bpe_.merges = std::move(merges);
  }

 private:
  void merge(const Candidate& top) {
    const int32_t left = left_of(top.pair), right = right_of(top.pair);
    const std::string text =
        bpe_.tokens[static_cast<size_t>(left)] + bpe_.tokens[static_cast<size_t>(right)];
    const auto [it, is_new] = known_.emplace(text, static_cast<int32_t>(bpe_.tokens.size()));
    if (is_new) bpe_.tokens.push_back(text);
    bpe_.merges.emplace_back(left, right);
    std::map<uint64_t, std::vector<uint32_t>> grown;
    for (const uint32_t index : top.words) {
      Word& word = words_[index];
      const auto change = [&](int32_t a, int32_t b, int64_t by) {
        const uint64_t key = key_of(a, b);
        counts_[key] += by * word.count;
        if (by < 0) return;
        std::vector<uint32_t>& list = grown[key];
        if (list.empty() || list.back() != index) list.push_back(index);
      };
      std::vector<int32_t>& s = word.symbols;
      size_t to = 0;
      for (size_t i = 0; i < s.size(); ++to) {
        if (s[i] != left || i + 1 == s.size() || s[i + 1] != right) {
          s[to] = s[i++];
          continue;
        }
        if (to > 0) {
          change(s[to - 1], left, -1);
          change(s[to - 1], it->second, 1);
        }
        if (i + 2 < s.size()) {
          change(right, s[i + 2], -1);
          change(it->second, s[i + 2], 1);
        }
        s[to] = it->second;
        i += 2;
      }
      s.resize(to);
    }
    for (auto& [key, list] : grown) {
      if (counts_[key] > 0) heap_.push({key, counts_[key], std::move(list)});
    }
  }

  TrainedBpe& bpe_;
  std::unordered_map<std::string, int32_t> known_;
  std::vector<Word> words_;
  std::unordered_map<uint64_t, int64_t> counts_;
  std::priority_queue<Candidate> heap_;
};

}  // namespace

void WordCounts::add(std::span<const std::string> texts, int threads) {
  ThreadPool pool(threads > 0 ? threads : default_threads());
  std::vector<Counts> counts(static_cast<size_t>(pool.size()));
  const PreTokenizer words = split_pre_tokenizer(Pattern::regex(kGpt2Pattern, "GPT-2's pattern"),
                                                 SplitBehavior::isolated, false);
  pool.each(static_cast<int64_t>(texts.size()), [&](int64_t i, int thread) {
    Pieces pieces;
    pieces.start(texts[static_cast<size_t>(i)], true);
    words(pieces);
    Counts& to = counts[static_cast<size_t>(thread)];
    for (const Pieces::Span& s : pieces.spans)
      ++to[std::string(pieces.text.substr(s.begin, s.end - s.begin))];
  });
  for (const Counts& part : counts) {
    for (const auto& [word, n] : part) counts_[word] += n;
  }
  for (const std::string& text : texts) bytes_ += static_cast<int64_t>(text.size());
}

TrainedBpe byte_vocabulary(const std::vector<std::string>& special) {
  TrainedBpe bpe;
  bpe.special = special;
  bpe.tokens = special;
  std::vector<uint32_t> alphabet;
  for (int b = 0; b < 256; ++b) alphabet.push_back(byte_to_char(static_cast<unsigned char>(b)));
  std::sort(alphabet.begin(), alphabet.end());
  for (const uint32_t c : alphabet) utf8::append(c, bpe.tokens.emplace_back());
  return bpe;
}

TrainedBpe train_bpe(const WordCounts& words, const BpeTrainerOptions& options) {
  TrainedBpe bpe = byte_vocabulary(options.special);
  const auto least = static_cast<int64_t>(bpe.tokens.size());
  constexpr int64_t kMost = 1 << 22;
  if (options.vocab < least || options.vocab > kMost) {
    fail(ErrorKind::invalid, "--vocab: expected {} (256 bytes and special tokens) to {}, found {}",
         least, kMost, options.vocab);
  }
  Trainer(words, bpe).run(options);
  return bpe;
}

std::string tokenizer_json_of(const TrainedBpe& bpe) {
  Json added = Json::array(), merges = Json::array();
  for (size_t id = 0; id < bpe.special.size(); ++id) {
    added.push_back({{"id", id},
                     {"content", bpe.special[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  for (const auto& [left, right] : bpe.merges) {
    merges.push_back(
        {bpe.tokens[static_cast<size_t>(left)], bpe.tokens[static_cast<size_t>(right)]});
  }
  // Keys of an ordered object are searched before they are added.
  std::string tokens;
  for (size_t id = 0; id < bpe.tokens.size(); ++id)
    tokens += fmt::format("{}\n      {}: {}", id > 0 ? "," : "", Json(bpe.tokens[id]).dump(), id);
  const auto byte_level = [](bool regex) {
    return Json{{"type", "ByteLevel"},
                {"add_prefix_space", false},
                {"trim_offsets", true},
                {"use_regex", regex}};
  };
  constexpr const char* kPlace = "VOCABULARY";
  Json json = {{"version", "1.0"},
               {"truncation", nullptr},
               {"padding", nullptr},
               {"added_tokens", added},
               {"normalizer", nullptr},
               {"pre_tokenizer", byte_level(true)},
               {"post_processor", nullptr},
               {"decoder", byte_level(true)},
               {"model",
                {{"type", "BPE"},
                 {"dropout", nullptr},
                 {"unk_token", nullptr},
                 {"continuing_subword_prefix", nullptr},
                 {"end_of_word_suffix", nullptr},
                 {"fuse_unk", false},
                 {"byte_fallback", false},
                 {"ignore_merges", false},
                 {"vocab", kPlace},
                 {"merges", merges}}}};
  std::string text = json.dump(2);
  const std::string place = fmt::format("\"vocab\": \"{}\"", kPlace);
  text.replace(text.find(place), place.size(), fmt::format("\"vocab\": {{{}\n    }}", tokens));
  return text + "\n";
}

std::string tokenizer_config_json_of(const TrainedBpe& bpe) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  if (!bpe.special.empty()) {
    config["bos_token"] = bpe.special[0];
    config["eos_token"] = bpe.special[0];
  }
  return config.dump(2) + "\n";
}

}  // namespace ashlar
