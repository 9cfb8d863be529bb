// Reader of Hugging Face's tokenizer.json.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer_spec.h"
#include "text/unicode.h"

namespace ashlar {
namespace {

using Json = nlohmann::json;

// Vocabulary and merges, hundreds of thousands of entries, go straight into tables; the rest
// becomes a tree.
class Reader : public nlohmann::json_sax<Json> {
 public:
  Json tree;
  TokenMap vocab;
  std::vector<std::pair<std::string, std::string>> merges;
  bool vocab_is_object = false;
  std::string problem;

  bool null() override { return value(nullptr); }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(number_integer_t v) override { return in_vocab() ? token(-1) : value(v); }
  bool number_unsigned(number_unsigned_t v) override {
    if (!in_vocab()) return value(v);
    return token(v <= static_cast<uint64_t>(kMaxTokenId) ? static_cast<TokenId>(v) : -1);
  }
  bool number_float(number_float_t v, const string_t&) override { return value(v); }
  bool binary(binary_t&) override { return broken("binary data"); }

  bool string(string_t& v) override {
    if (in_ != merges_array || skip_ > 0) return value(std::move(v));
    if (in_pair_) {
      if (pair_.size() >= 2) return broken("a merge of more than two tokens");
      pair_.push_back(std::move(v));
      return true;
    }
    const size_t space = v.find(' ');
    if (space == std::string::npos || v.find(' ', space + 1) != std::string::npos) {
      if (v.starts_with("#version")) return true;
      return broken("the merge \"" + v.substr(0, 80) + "\" is not two tokens with a space between");
    }
    merges.emplace_back(v.substr(0, space), v.substr(space + 1));
    return true;
  }

  bool start_object(size_t) override {
    if (skip_ > 0) return ++skip_, true;
    if (in_ == vocab_object || in_ == merges_array)
      return broken("an object inside model." + where_name());
    if (at_model_key("vocab")) {
      in_ = vocab_object;
      vocab_is_object = true;
      return true;
    }
    return open(Json::object());
  }
  bool key(string_t& v) override {
    if (skip_ == 0) key_ = std::move(v);
    return true;
  }
  bool end_object() override {
    if (skip_ > 0) return --skip_, true;
    if (in_ == vocab_object) return in_ = elsewhere, true;
    return close();
  }
  bool start_array(size_t) override {
    if (skip_ > 0) return ++skip_, true;
    if (in_ == merges_array) {
      if (in_pair_) return broken("an array inside a merge");
      in_pair_ = true;
      pair_.clear();
      return true;
    }
    if (in_ == vocab_object) return broken("an array inside model.vocab");
    if (at_model_key("merges")) return in_ = merges_array, true;
    if (at_model_key("vocab")) return skip_ = 1, true;  // a list with scores: another kind of model
    return open(Json::array());
  }
  bool end_array() override {
    if (skip_ > 0) return --skip_, true;
    if (in_ != merges_array) return close();
    if (!in_pair_) return in_ = elsewhere, true;
    in_pair_ = false;
    if (pair_.size() != 2) return broken("a merge that is not two tokens");
    merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
    return true;
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception& e) override {
    if (problem.empty()) problem = fmt::format("not valid JSON at byte {}: {}", at, e.what());
    return false;
  }

 private:
  bool broken(std::string what) {
    problem = std::move(what);
    return false;
  }
  std::string where_name() const { return in_ == vocab_object ? "vocab" : "merges"; }
  bool at_model_key(const char* name) const {
    return stack_.size() == 2 && path_[1] == "model" && stack_[1]->is_object() && key_ == name;
  }
  bool in_vocab() const { return in_ == vocab_object && skip_ == 0; }
  bool token(TokenId id) {
    if (id < 0) return broken("token \"" + key_.substr(0, 80) + "\" has an absurd id");
    vocab.set(key_, id);
    return true;
  }
  bool value(Json v) {
    if (skip_ > 0) return true;
    if (in_ != elsewhere)
      return broken("model." + where_name() + " holds a value of the wrong type");
    if (!v.is_null() && (at_model_key("merges") || at_model_key("vocab")))
      return broken(fmt::format("model.{} is a {}, expected {}", key_, v.type_name(),
                                key_ == "vocab" ? "an object" : "a list of merges"));
    place(std::move(v));
    return true;
  }
  Json* place(Json v) {
    if (stack_.empty()) return &(tree = std::move(v));
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    return &(parent[key_] = std::move(v));
  }
  bool open(Json v) {
    if (stack_.size() >= 64) return broken("nested more than 64 deep");
    stack_.push_back(place(std::move(v)));
    path_.push_back(std::exchange(key_, {}));
    return true;
  }
  bool close() {
    stack_.pop_back();
    path_.pop_back();
    return true;
  }

  enum { elsewhere, vocab_object, merges_array } in_ = elsewhere;
  std::vector<Json*> stack_;
  std::vector<std::string> path_;  // the key under which each element of stack_ stands
  std::string key_;
  std::vector<std::string> pair_;
  bool in_pair_ = false;
  size_t skip_ = 0;
};

// One object of the file, with typed and checked access; `path` names it in errors.
class Part {
 public:
  Part(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object())
      fail(ErrorKind::format, "{}: expected an object, found {}", path_, json.type_name());
  }
  const std::string& path() const { return path_; }
  const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool flag(const char* key, bool otherwise) const {
    const Json* v = find(key);
    if (v == nullptr) return otherwise;
    if (!v->is_boolean()) wrong(key, "a boolean", *v);
    return v->get<bool>();
  }
  std::string text(const char* key, std::optional<std::string> otherwise = std::nullopt) const {
    const Json* v = find(key);
    if (v == nullptr && otherwise) return *otherwise;
    if (v == nullptr || !v->is_string()) wrong(key, "a string", v == nullptr ? Json() : *v);
    return v->get<std::string>();
  }
  size_t count(const char* key, size_t otherwise) const {
    const Json* v = find(key);
    if (v == nullptr) return otherwise;
    if (!v->is_number_unsigned() || v->get<uint64_t>() > 1'000'000)
      wrong(key, "a small whole number", *v);
    return v->get<size_t>();
  }
  const std::vector<Json>& list(const char* key) const {
    static const std::vector<Json> kEmpty;
    const Json* v = find(key);
    if (v == nullptr) return kEmpty;
    if (!v->is_array()) wrong(key, "an array", *v);
    return v->get_ref<const std::vector<Json>&>();
  }
  std::string type() const { return text("type"); }
  Part part(const char* key) const {
    const Json* v = find(key);
    if (v == nullptr) wrong(key, "an object", Json());
    return Part(*v, path_ + "." + key);
  }
  [[noreturn]] void unsupported() const {
    fail(ErrorKind::unsupported, "{}: the component \"{}\" is not supported", path_, type());
  }

 private:
  [[noreturn]] void wrong(const char* key, const char* expected, const Json& found) const {
    fail(ErrorKind::format, "{}.{}: expected {}, found {}", path_, key, expected,
         found.type_name());
  }
  const Json& json_;
  std::string path_;
};

constexpr int kMaxNesting = 16;

// The objects of a list, one after the other.
void each(const Part& parent, const char* key, int depth,
          const std::function<void(const Part&)>& use) {
  const auto& list = parent.list(key);
  if (depth > kMaxNesting && !list.empty())
    fail(ErrorKind::format, "{}: sequences nested too deeply", parent.path());
  for (size_t i = 0; i < list.size(); ++i)
    use(Part(list[i], fmt::format("{}.{}[{}]", parent.path(), key, i)));
}

Pattern read_pattern(const Part& part, bool* one_char = nullptr, std::string* literal = nullptr) {
  if (const Json* v = part.find("pattern"); v != nullptr && v->is_string()) {
    return Pattern::literal(v->get<std::string>());  // an older form
  }
  const Part pattern = part.part("pattern");
  if (pattern.find("String") != nullptr) {
    const std::string text = pattern.text("String");
    if (one_char != nullptr) {
      *one_char = !text.empty() && utf8::length(static_cast<unsigned char>(text[0])) == text.size();
    }
    if (literal != nullptr) *literal = text;
    return Pattern::literal(text);
  }
  return Pattern::regex(pattern.text("Regex"), pattern.path());
}

std::string one_character(const Part& part, const char* key, std::optional<std::string> otherwise) {
  const std::string text = part.text(key, std::move(otherwise));
  if (text.empty() || utf8::length(static_cast<unsigned char>(text[0])) != text.size()) {
    fail(ErrorKind::format, "{}.{}: expected one character, found \"{}\"", part.path(), key, text);
  }
  return text;
}

NormalizerPtr read_normalizer(const Part& part, int depth = 0) {
  const std::string type = part.type();
  if (type == "NFC") return unicode_normalizer(NormalForm::nfc);
  if (type == "NFD") return unicode_normalizer(NormalForm::nfd);
  if (type == "NFKC") return unicode_normalizer(NormalForm::nfkc);
  if (type == "NFKD") return unicode_normalizer(NormalForm::nfkd);
  if (type == "Lowercase") return lowercase_normalizer();
  if (type == "StripAccents") return strip_accents_normalizer();
  if (type == "ByteLevel") return alphabet_normalizer();
  if (type == "Strip") {
    return strip_normalizer(part.flag("strip_left", true), part.flag("strip_right", true));
  }
  if (type == "Prepend") return prepend_normalizer(part.text("prepend"));
  if (type == "Replace") {
    std::string literal;
    Pattern pattern = read_pattern(part, nullptr, &literal);
    std::string content = part.text("content");
    if (literal.size() == 1 && literal[0] >= 0) return replace_char_normalizer(literal[0], content);
    return replace_normalizer(std::move(pattern), std::move(content));
  }
  if (type == "Sequence") {
    std::vector<NormalizerPtr> parts;
    each(part, "normalizers", depth,
         [&](const Part& inner) { parts.push_back(read_normalizer(inner, depth + 1)); });
    return parts.empty() ? nullptr : normalizer_sequence(std::move(parts));
  }
  part.unsupported();
}

SplitBehavior read_behavior(const Part& part, const char* otherwise) {
  const std::string name = part.text("behavior", otherwise);
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  fail(ErrorKind::unsupported, "{}: the behavior \"{}\" is not supported", part.path(), name);
}

// Metaspace says where it puts a mark in front in one of two ways.
Prepend read_prepend(const Part& part) {
  const std::string scheme = part.text("prepend_scheme", "");
  if (scheme == "always") return Prepend::always;
  if (scheme == "first") return Prepend::first;
  if (scheme == "never") return Prepend::never;
  if (!scheme.empty()) {
    fail(ErrorKind::unsupported, "{}: the prepend_scheme \"{}\" is not supported", part.path(),
         scheme);
  }
  return part.flag("add_prefix_space", true) ? Prepend::always : Prepend::never;
}

void read_pre_tokenizer(const Part& part, TokenizerSpec& spec, int depth = 0) {
  const std::string type = part.type();
  auto& steps = spec.pre_tokenizers;
  if (type == "Sequence") {
    return each(part, "pretokenizers", depth,
                [&](const Part& inner) { read_pre_tokenizer(inner, spec, depth + 1); });
  }
  if (spec.bytes_last) {  // something follows a byte-level step: the spelling has to happen there
    steps.push_back(alphabet_pre_tokenizer());
    spec.bytes_last = false;
  }
  if (type == "Split") {
    steps.push_back(split_pre_tokenizer(read_pattern(part), read_behavior(part, "Isolated"),
                                        part.flag("invert", false)));
  } else if (type == "ByteLevel") {
    if (part.flag("add_prefix_space", true)) steps.push_back(space_prefix_pre_tokenizer());
    if (part.flag("use_regex", true)) {
      steps.push_back(split_pre_tokenizer(Pattern::regex(kGpt2Pattern, part.path()),
                                          SplitBehavior::isolated, false));
    }
    spec.bytes_last = true;
  } else if (type == "Digits") {
    steps.push_back(char_pre_tokenizer(unicode::is_numeric, part.flag("individual_digits", false)
                                                                ? SplitBehavior::isolated
                                                                : SplitBehavior::contiguous));
  } else if (type == "Punctuation") {
    steps.push_back(char_pre_tokenizer(unicode::is_punctuation, read_behavior(part, "Isolated")));
  } else if (type == "Whitespace") {
    const std::string word =
        R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u200C\u200D\u24B6-\u24E9\u{1F130}-\u{1F149})"
        R"(\u{1F150}-\u{1F169}\u{1F170}-\u{1F189})";
    steps.push_back(
        split_pre_tokenizer(Pattern::regex("[" + word + "]+|[^" + word + "\\s]+", part.path()),
                            SplitBehavior::removed, true));
  } else if (type == "WhitespaceSplit") {
    steps.push_back(char_pre_tokenizer(unicode::is_space, SplitBehavior::removed));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(char_pre_tokenizer(unicode::is_space, SplitBehavior::removed));
    steps.push_back(char_pre_tokenizer(unicode::is_punctuation, SplitBehavior::isolated));
  } else if (type == "CharDelimiterSplit") {
    steps.push_back(
        split_pre_tokenizer(Pattern::literal(one_character(part, "delimiter", std::nullopt)),
                            SplitBehavior::removed, false));
  } else if (type == "Metaspace") {
    steps.push_back(metaspace_pre_tokenizer(one_character(part, "replacement", "\u2581"),
                                            read_prepend(part), part.flag("split", true)));
  } else {
    part.unsupported();
  }
}

void read_decoder(const Part& part, std::vector<DecoderStep>& steps, int depth = 0) {
  const std::string type = part.type();
  DecoderStep step;
  if (type == "Sequence") {
    return each(part, "decoders", depth,
                [&](const Part& inner) { read_decoder(inner, steps, depth + 1); });
  }
  if (type == "ByteLevel") {
    step.kind = DecoderStep::byte_level;
  } else if (type == "ByteFallback") {
    step.kind = DecoderStep::byte_fallback;
  } else if (type == "Fuse") {
    step.kind = DecoderStep::fuse;
  } else if (type == "Strip") {
    step.kind = DecoderStep::strip;
    step.content = one_character(part, "content", " ");
    step.start = part.count("start", 0);
    step.stop = part.count("stop", 0);
  } else if (type == "Replace") {
    step.kind = DecoderStep::replace;
    step.pattern = read_pattern(part, &step.one_char);
    step.content = part.text("content");
  } else if (type == "Metaspace") {
    step.kind = DecoderStep::metaspace;
    step.content = one_character(part, "replacement", "\u2581");
    step.start = read_prepend(part) != Prepend::never ? 1 : 0;
  } else if (type == "BPEDecoder") {
    step.kind = DecoderStep::suffix;
    step.content = part.text("suffix", "</w>");
  } else {
    part.unsupported();
  }
  steps.push_back(std::move(step));
}

// [token, id] as BertProcessing and RobertaProcessing write it.
TokenId pair_id(const Part& part, const char* key) {
  const auto& list = part.list(key);
  if (list.size() != 2 || !list[1].is_number_unsigned() || list[1].get<uint64_t>() > kMaxTokenId) {
    fail(ErrorKind::format, "{}.{}: expected [token, id]", part.path(), key);
  }
  return list[1].get<TokenId>();
}

void append_special(const Part& specials, const std::string& name, std::vector<TokenId>& frame) {
  const Part special = specials.part(name.c_str());
  for (const Json& id : special.list("ids")) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > kMaxTokenId) {
      fail(ErrorKind::format, "{}.ids: expected token ids", special.path());
    }
    frame.push_back(id.get<TokenId>());
  }
}

// What stands around the frame so far.
std::vector<TokenId> read_post_processor(const Part& part, std::vector<TokenId> frame,
                                         int depth = 0) {
  const std::string type = part.type();
  if (type == "ByteLevel") return frame;
  std::vector<TokenId> out;
  if (type == "Sequence") {
    each(part, "processors", depth, [&](const Part& inner) {
      frame = read_post_processor(inner, std::move(frame), depth + 1);
    });
    return frame;
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    out.push_back(pair_id(part, "cls"));
    out.insert(out.end(), frame.begin(), frame.end());
    out.push_back(pair_id(part, "sep"));
    return out;
  }
  if (type != "TemplateProcessing") part.unsupported();
  each(part, "single", depth, [&](const Part& item) {
    if (item.find("Sequence") != nullptr) {
      out.insert(out.end(), frame.begin(), frame.end());
    } else {
      append_special(part.part("special_tokens"), item.part("SpecialToken").text("id"), out);
    }
    if (out.size() > 4096) fail(ErrorKind::format, "{}: too many special tokens", part.path());
  });
  return out;
}

void read_model(const Part& part, Reader& reader, TokenizerSpec& spec) {
  const std::string type = part.text("type", "BPE");
  if (type != "BPE" || !reader.vocab_is_object) {
    fail(ErrorKind::unsupported, "{}: the model \"{}\" is not supported, only BPE is", part.path(),
         type);
  }
  if (const Json* dropout = part.find("dropout");
      dropout != nullptr && !(dropout->is_number() && dropout->get<double>() == 0.0)) {
    fail(ErrorKind::unsupported, "{}.dropout: ids would depend on chance", part.path());
  }
  BpeModel& model = spec.model;
  model.vocab = std::move(reader.vocab);
  model.unk_token = part.text("unk_token", "");
  model.fuse_unk = part.flag("fuse_unk", false);
  model.byte_fallback = part.flag("byte_fallback", false);
  model.ignore_merges = part.flag("ignore_merges", false);
  model.continuing_prefix = part.text("continuing_subword_prefix", "");
  model.end_suffix = part.text("end_of_word_suffix", "");
  model.merges.reserve(reader.merges.size());
  std::string joined;
  for (size_t i = 0; i < reader.merges.size(); ++i) {
    const auto& [left, right] = reader.merges[i];
    // The second part of a merge carries the prefix of continuing symbols, the outcome does not.
    std::string_view tail = right;
    tail.remove_prefix(std::min(model.continuing_prefix.size(), tail.size()));
    joined.assign(left).append(tail);
    const BpeModel::Merge merge = {model.vocab.find(left), model.vocab.find(right),
                                   model.vocab.find(joined)};
    if (merge.left < 0 || merge.right < 0 || merge.result < 0) {
      fail(ErrorKind::format, "{}.merges[{}]: \"{}\" is not in the vocabulary", part.path(), i,
           merge.left < 0    ? left
           : merge.right < 0 ? right
                             : joined);
    }
    model.merges.push_back(merge);
  }
  reader.merges = {};
}

}  // namespace

TokenizerSpec read_tokenizer_json(std::string_view text, std::string_view where) {
  Reader reader;
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) {
    fail(ErrorKind::format, "{}: {}", where,
         reader.problem.empty() ? "not valid JSON" : reader.problem);
  }
  TokenizerSpec spec;
  spec.where = where;
  const Part root(reader.tree, std::string(where));
  read_model(root.part("model"), reader, spec);
  if (root.find("normalizer") != nullptr)
    spec.normalizer = read_normalizer(root.part("normalizer"));
  if (root.find("pre_tokenizer") != nullptr) read_pre_tokenizer(root.part("pre_tokenizer"), spec);
  if (root.find("post_processor") != nullptr) {
    spec.frame = read_post_processor(root.part("post_processor"), spec.frame);
  }
  if (root.find("decoder") != nullptr) {
    read_decoder(root.part("decoder"), spec.decoder);
  } else {
    spec.decoder.push_back({.kind = DecoderStep::join});
  }
  each(root, "added_tokens", 0, [&](const Part& token) {
    AddedToken added;
    added.content = token.text("content");
    added.special = token.flag("special", false);
    added.normalized = token.flag("normalized", !added.special);
    added.lstrip = token.flag("lstrip", false);
    added.rstrip = token.flag("rstrip", false);
    added.single_word = token.flag("single_word", false);
    add_token(spec, std::move(added));
  });
  return spec;
}

}  // namespace ashlar
