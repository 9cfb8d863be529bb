// Decoder components of tokenizer.json as stages that hold back no more than they must.
#include "text/token_decoder.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/bpe.h"

namespace ashlar {
namespace {

class Sink final : public DecodeStage {
 public:
  explicit Sink(std::string& out) : DecodeStage(nullptr), out_(out) {}
  void put(std::string_view text, bool) override { out_ += text; }
  void finish() override {}

 private:
  std::string& out_;
};

class Join final : public DecodeStage {
 public:
  using DecodeStage::DecodeStage;
  void put(std::string_view text, bool ends) override {
    if (fresh_ && !first_) next_->put(" ", false);
    next_->put(text, false);
    first_ = false;
    fresh_ = ends;
  }

 private:
  bool first_ = true, fresh_ = true;
};

class ByteLevel final : public DecodeStage {
 public:
  using DecodeStage::DecodeStage;
  // A token with any other character in it stands for its own UTF-8.
  void token(std::string_view token) override {
    const size_t before = bytes_.size();
    for (size_t i = 0; i < token.size();) {
      const int byte = char_to_byte(utf8::next(token, i));
      if (byte < 0) {
        bytes_.resize(before);
        bytes_ += token;
        break;
      }
      bytes_.push_back(static_cast<char>(byte));
    }
    give(false);
  }
  void finish() override {
    give(true);
    next_->put("", true);
    next_->finish();
  }

 private:
  void give(bool complete) {
    std::string_view rest = bytes_;
    while (!rest.empty()) {
      const size_t good = utf8::valid_prefix(rest);
      if (good > 0) next_->put(rest.substr(0, good), false);
      rest.remove_prefix(good);
      const size_t bad = utf8::invalid_prefix(rest, complete);
      if (bad == 0) break;
      next_->put("\xEF\xBF\xBD", false);
      rest.remove_prefix(bad);
    }
    bytes_.erase(0, bytes_.size() - rest.size());
  }
  std::string bytes_;
};

class ByteFallback final : public DecodeStage {
 public:
  using DecodeStage::DecodeStage;
  void token(std::string_view token) override {
    if (const int byte = byte_of(token); byte >= 0) {
      bytes_.push_back(static_cast<char>(byte));
      return;
    }
    flush();
    next_->put(token, true);
  }
  void finish() override {
    flush();
    next_->finish();
  }

 private:
  static int byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
    const auto digit = [](char c) {
      return c >= '0' && c <= '9'                 ? c - '0'
             : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                  : -1;
    };
    const int low = digit(token[4]);
    if (token[3] == '+') return low;  // the reference's number parser takes a sign
    const int high = digit(token[3]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
  }
  // A run that is not UTF-8 as a whole becomes one U+FFFD per byte: nothing is certain before it
  // ends.
  void flush() {
    if (bytes_.empty()) return;
    if (utf8::valid_prefix(bytes_) == bytes_.size()) {
      next_->put(bytes_, true);
    } else {
      for (size_t i = 0; i < bytes_.size(); ++i) next_->put("\xEF\xBF\xBD", true);
    }
    bytes_.clear();
  }
  std::string bytes_;
};

class Fuse final : public DecodeStage {
 public:
  using DecodeStage::DecodeStage;
  void put(std::string_view text, bool) override { next_->put(text, false); }
  void finish() override {
    next_->put("", true);
    next_->finish();
  }
};

class Strip final : public DecodeStage {
 public:
  Strip(const DecoderStep& step, std::unique_ptr<DecodeStage> next)
      : DecodeStage(std::move(next)),
        content_(step.content),
        start_(step.start),
        stop_(step.stop) {}
  void put(std::string_view text, bool ends) override {
    while (leading_ && dropped_ < start_ && text.starts_with(content_)) {
      text.remove_prefix(content_.size());
      ++dropped_;
    }
    if (!text.empty()) leading_ = false;
    if (stop_ == 0) {
      next_->put(text, ends);
    } else {
      held_ += text;
    }
    if (!ends) return;
    leading_ = true;
    dropped_ = 0;
    if (stop_ == 0) return;
    for (size_t i = 0; i < stop_ && held_.ends_with(content_); ++i) {
      held_.resize(held_.size() - content_.size());
    }
    next_->put(held_, true);
    held_.clear();
  }

 private:
  std::string content_, held_;
  size_t start_, stop_, dropped_ = 0;
  bool leading_ = true;
};

void check_token_growth(size_t bytes) {
  constexpr size_t kMostOfOneToken = size_t{1} << 26;
  if (bytes > kMostOfOneToken) {
    fail(ErrorKind::resource, "the tokenizer's decoders make more than {} bytes of one token",
         kMostOfOneToken);
  }
}

class Replace final : public DecodeStage {
 public:
  Replace(const DecoderStep& step, std::unique_ptr<DecodeStage> next)
      : DecodeStage(std::move(next)),
        pattern_(step.pattern),
        content_(step.content),
        one_char_(step.one_char) {}
  void put(std::string_view text, bool ends) override {
    if (one_char_)
      next_->put(pattern_.replaced(text, content_, check_token_growth), ends);
    else
      DecodeStage::put(text, ends);
  }

 protected:
  void token(std::string_view text) override {
    next_->put(pattern_.replaced(text, content_, check_token_growth), true);
  }

 private:
  Pattern pattern_;
  std::string content_;
  bool one_char_;
};

class Metaspace final : public DecodeStage {
 public:
  Metaspace(const DecoderStep& step, std::unique_ptr<DecodeStage> next)
      : DecodeStage(std::move(next)),
        mark_(Pattern::literal(step.content)),
        first_(step.start == 1) {}
  void put(std::string_view text, bool ends) override {
    const std::string out = mark_.replaced(text, first_ ? "" : " ", [](size_t) {});
    if (ends) first_ = false;
    next_->put(out, ends);
  }

 private:
  Pattern mark_;
  bool first_;
};

class Suffix final : public DecodeStage {
 public:
  Suffix(const DecoderStep& step, std::unique_ptr<DecodeStage> next)
      : DecodeStage(std::move(next)), suffix_(Pattern::literal(step.content)) {}
  void token(std::string_view text) override {
    if (held_) give(" ");
    held_ = text;
  }
  void finish() override {
    if (held_) give("");
    next_->finish();
  }

 private:
  void give(std::string_view replacement) {
    const std::string out = suffix_.replaced(*held_, replacement, [](size_t) {});
    held_.reset();
    next_->put(out, true);
  }
  Pattern suffix_;
  std::optional<std::string> held_;
};

// A stage that `step` describes, before `next`.
template <class Stage>
std::unique_ptr<DecodeStage> make_stage(const DecoderStep& step,
                                        std::unique_ptr<DecodeStage> next) {
  if constexpr (std::is_constructible_v<Stage, const DecoderStep&, std::unique_ptr<DecodeStage>>)
    return std::make_unique<Stage>(step, std::move(next));
  else
    return std::make_unique<Stage>(std::move(next));
}

}  // namespace

void DecodeStage::put(std::string_view text, bool ends) {
  if (ends && parts_.empty()) return token(text);
  parts_ += text;
  if (!ends) return;
  const std::string whole = std::exchange(parts_, {});
  token(whole);
}

std::unique_ptr<DecodeStage> decode_stages(const std::vector<DecoderStep>& steps,
                                           std::string& out) {
  std::unique_ptr<DecodeStage> stage = std::make_unique<Sink>(out);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    // In the order of DecoderStep::Kind.
    constexpr decltype(&make_stage<Join>) kMakers[] = {
        make_stage<Join>,  make_stage<ByteLevel>, make_stage<ByteFallback>, make_stage<Fuse>,
        make_stage<Strip>, make_stage<Replace>,   make_stage<Metaspace>,    make_stage<Suffix>};
    static_assert(std::size(kMakers) == DecoderStep::suffix + 1);
    stage = kMakers[step->kind](*step, std::move(stage));
  }
  return stage;
}

}  // namespace ashlar
