// The way of a text through a tokenizer: added tokens, normalizer, added tokens again, words, ids;
// and back.
#include "text/tokenizer.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/character_runs.h"
#include "base/error.h"
#include "base/json.h"
#include "base/placeholder.h"
#include "base/regular_file.h"
#include "base/utf8.h"
#include "text/cut_at_marks.h"
#include "text/tokenizer_spec.h"
#include "text/unicode.h"

namespace ashlar {
namespace {

// Everything one encode call needs and may keep.
struct Workspace {
  BpeScratch bpe;
  Pieces pieces;
  std::vector<AddedTokenFinder::Part> outer, inner;
  std::string normalized;
};

bool is_marker(const AddedToken& token, const TokenMap& vocab) {
  if (token.special) return true;
  // White space and HTML tags that the model's own vocabulary holds are text like any other.
  if (vocab.find(token.content) < 0) return true;
  std::string_view text = token.content;
  const auto blank = [](uint32_t c) { return unicode::is_space(c) || c == 0x2581; };
  if (utf8::end_of_run(text, 0, blank) == text.size()) return false;
  if (!text.starts_with('<') || !text.ends_with('>')) return true;
  text = text.substr(1, text.size() - 2);
  if (text.starts_with('/')) text.remove_prefix(1);
  static constexpr std::string_view kHtml =
      " a b i u s p h1 h2 h3 h4 h5 h6 em td th tr ul ol li br hr div img sub sup code body html "
      "span "
      "bbox table thead tbody tfoot strong iframe footer caption blockquote ";
  return text.empty() || text.find(' ') != std::string_view::npos ||
         kHtml.find(fmt::format(" {} ", text)) == std::string_view::npos;
}

bool python_space(uint32_t c) { return unicode::is_space(c) || (c >= 0x1C && c <= 0x1F); }

// Kimi's reference encodes at most 400,000 characters at once, and in these at most 25,000
// characters of white space, or of anything else, in a row.
std::vector<std::string_view> kimi_slices(std::string_view text) {
  std::vector<std::string_view> out;
  size_t begin = 0, chars = 0, run = 0;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const size_t here = i;
    const bool now_space = python_space(utf8::next(text, i));
    if (chars == 400'000) {
      out.push_back(text.substr(begin, here - begin));
      begin = here;
      chars = run = 0;
    }
    if ((chars == 0 && run == 0) || now_space != space) {
      space = now_space;
      run = 1;
    } else if (++run > 25'000) {
      out.push_back(text.substr(begin, here - begin));
      begin = here;
      run = 1;
    }
    ++chars;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
  return out;
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerSpec given);

  void encode(std::string_view text, const Trust& trust, bool add_special,
              std::vector<TokenId>& out) const;
  void encode_part(std::string_view text, const Trust& trust, size_t offset, Workspace& work,
                   std::vector<TokenId>& out) const;
  void encode_words(std::string_view text, bool at_start, Workspace& work,
                    std::vector<TokenId>& out) const;
  std::vector<TextRange> normalized_ranges(std::string_view segment, std::string_view result,
                                           const Trust& trust, size_t offset) const;
  std::unique_ptr<Workspace> borrow() const;
  std::string_view piece(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < pieces.size() ? pieces[static_cast<size_t>(id)]
                                                              : std::string_view();
  }
  bool special(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < is_special.size() &&
           is_special[static_cast<size_t>(id)];
  }
  bool decodes(TokenId id, bool skip_special) const {
    return id >= 0 && static_cast<size_t>(id) < pieces.size() && known[static_cast<size_t>(id)] &&
           !(skip_special && skipped[static_cast<size_t>(id)]);
  }

  TokenizerSpec spec;
  std::unique_ptr<Bpe> bpe;
  AddedTokenFinder raw, normalized;
  std::vector<std::string> spellings;    // of added tokens in the normalized text
  std::vector<std::string_view> pieces;  // by id, into spec and spellings
  std::vector<bool> known, is_special;
  std::vector<bool>
      skipped;  // special, and spelled as it was declared: the reference tells by the text
  std::unordered_map<std::string_view, TokenId> added_ids;

  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Workspace>> idle;
};

Tokenizer::Impl::Impl(TokenizerSpec given) : spec(std::move(given)) {
  BpeModel& model = spec.model;
  std::vector<std::string> raw_spelling(spec.added.size());
  spellings.resize(spec.added.size());
  TokenId last = -1;
  for (size_t i = 0; i < spec.added.size(); ++i) {
    AddedToken& token = spec.added[i];
    token.control = is_marker(token, model.vocab);
    if (token.special) model.never.push_back(token.id);
    last = std::max(last, token.id);
    added_ids[token.content] = token.id;
    if (!token.normalized) {
      raw_spelling[i] = token.content;
    } else {
      spellings[i] = token.content;
      if (spec.normalizer) spec.normalizer->apply(spellings[i]);
    }
  }
  raw = AddedTokenFinder(spec.added, raw_spelling);
  normalized = AddedTokenFinder(spec.added, spellings);
  for (size_t i = 0; i < model.vocab.size(); ++i) last = std::max(last, model.vocab.id(i));
  if (last > kMaxTokenId) fail(ErrorKind::format, "{}: token id {} is absurd", spec.where, last);
  pieces.resize(static_cast<size_t>(last + 1));
  known.resize(pieces.size());
  is_special.resize(pieces.size());
  skipped.resize(pieces.size());
  const auto name = [&](TokenId id, std::string_view text) {
    if (id < 0) fail(ErrorKind::format, "{}: token \"{}\" has id {}", spec.where, text, id);
    pieces[static_cast<size_t>(id)] = text;
    known[static_cast<size_t>(id)] = true;
  };
  for (size_t i = 0; i < model.vocab.size(); ++i) name(model.vocab.id(i), model.vocab.name(i));
  for (size_t i = 0; i < spec.added.size(); ++i) {
    const AddedToken& token = spec.added[i];
    // The reference spells such a token as it stands in the normalized text.
    name(token.id, token.normalized ? spellings[i] : token.content);
    if (!token.special) continue;
    is_special[static_cast<size_t>(token.id)] = true;
    skipped[static_cast<size_t>(token.id)] = pieces[static_cast<size_t>(token.id)] == token.content;
  }
  for (const TokenId id : spec.frame) {
    if (id != TokenizerSpec::kText && (id < 0 || id > last)) {
      fail(ErrorKind::format, "{}: the post-processor names id {} of {}", spec.where, id, last + 1);
    }
  }
  if (spec.bytes_last) {
    model.byte_level = Bpe::suits_bytes(model);
    if (!model.byte_level) spec.pre_tokenizers.push_back(alphabet_pre_tokenizer());
  } else if (PreTokenizer cut = cut_at_marks(model)) {
    spec.pre_tokenizers.push_back(std::move(cut));
  }
  bpe = std::make_unique<Bpe>(model, spec.where);
  model.merges = {};
}

std::unique_ptr<Workspace> Tokenizer::Impl::borrow() const {
  const std::lock_guard lock(mutex);
  if (idle.empty()) return std::make_unique<Workspace>();
  std::unique_ptr<Workspace> work = std::move(idle.back());
  idle.pop_back();
  return work;
}

void Tokenizer::Impl::encode_words(std::string_view text, bool at_start, Workspace& work,
                                   std::vector<TokenId>& out) const {
  if (text.empty()) return;
  work.pieces.start(text, at_start);
  for (const PreTokenizer& step : spec.pre_tokenizers) step(work.pieces);
  for (const Pieces::Span& span : work.pieces.spans) {
    bpe->encode(work.pieces.text.substr(span.begin, span.end - span.begin), work.bpe, out);
  }
}

// The trusted ranges of a segment, as they lie in its normalized form; rather too small than too
// large where the normalizer joins what is beside a border.
std::vector<TextRange> Tokenizer::Impl::normalized_ranges(std::string_view segment,
                                                          std::string_view result,
                                                          const Trust& trust, size_t offset) const {
  std::vector<TextRange> out;
  std::string part;
  for (const TextRange& range : trust.ranges()) {
    if (range.end <= offset || range.begin >= offset + segment.size()) continue;
    const size_t begin = std::max(range.begin, offset) - offset;
    const size_t end = std::min(range.end - offset, segment.size());
    part.assign(segment.substr(begin));
    spec.normalizer->apply(part);
    size_t after = 0;
    while (after < std::min(part.size(), result.size()) &&
           part[part.size() - 1 - after] == result[result.size() - 1 - after]) {
      ++after;
    }
    part.assign(segment.substr(0, end));
    spec.normalizer->apply(part);
    const auto same = std::mismatch(part.begin(), part.end(), result.begin(), result.end());
    const size_t first = std::max(result.size() - after, out.empty() ? 0 : out.back().end);
    const auto last = static_cast<size_t>(same.first - part.begin());
    if (first < last) out.push_back({first, last});
  }
  return out;
}

void Tokenizer::Impl::encode_part(std::string_view text, const Trust& trust, size_t offset,
                                  Workspace& work, std::vector<TokenId>& out) const {
  work.outer.clear();
  raw.split(text, trust, offset, work.outer);
  for (const auto& part : work.outer) {
    if (part.token != nullptr) {
      out.push_back(part.token->id);
      continue;
    }
    std::string_view segment = text.substr(part.begin, part.end - part.begin);
    const bool at_start = part.begin == 0 && text.data() != nullptr;
    Trust inner_trust = trust;
    size_t inner_offset = offset + part.begin;
    std::vector<TextRange> ranges;
    if (spec.normalizer && !spec.normalizer->leaves(segment)) {
      work.normalized.assign(segment);
      spec.normalizer->apply(work.normalized);
      if (!normalized.empty() && !trust.everywhere() && !trust.nowhere() &&
          work.normalized != segment) {
        ranges = normalized_ranges(segment, work.normalized, trust, inner_offset);
        inner_trust = Trust(ranges, trust.words());
        inner_offset = 0;
      }
      segment = work.normalized;
    }
    if (normalized.empty()) {
      encode_words(segment, at_start, work, out);
      continue;
    }
    work.inner.clear();
    normalized.split(segment, inner_trust, inner_offset, work.inner);
    for (const auto& inner : work.inner) {
      if (inner.token != nullptr) {
        out.push_back(inner.token->id);
      } else {
        encode_words(segment.substr(inner.begin, inner.end - inner.begin),
                     at_start && inner.begin == 0, work, out);
      }
    }
  }
}

void Tokenizer::Impl::encode(std::string_view text, const Trust& trust, bool add_special,
                             std::vector<TokenId>& out) const {
  std::unique_ptr<Workspace> work = borrow();
  out.reserve(text.size() / 3 + 8);
  for (const TokenId id : add_special ? spec.frame : std::vector{TokenizerSpec::kText}) {
    if (id != TokenizerSpec::kText) {
      out.push_back(id);
    } else if (spec.slices) {
      for (const std::string_view slice : kimi_slices(text)) {
        encode_part(slice, trust, static_cast<size_t>(slice.data() - text.data()), *work, out);
      }
    } else {
      encode_part(text, trust, 0, *work, out);
    }
  }
  const std::lock_guard lock(mutex);
  if (idle.size() < 16) idle.push_back(std::move(work));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::string repaired;
  if (utf8::valid_prefix(text) != text.size()) {
    repaired = utf8::repaired(text);
    text = repaired;
  }
  std::vector<TokenId> out;
  impl_->encode(text, Trust(options.parse_special), options.add_special, out);
  return out;
}

std::vector<TokenId> Tokenizer::encode_trusting(std::string_view text,
                                                std::span<const TextRange> trusted,
                                                std::string_view control_text) const {
  std::vector<TokenId> out;
  const ControlWords words(control_text);
  impl_->encode(text, Trust(trusted, &words), false, out);
  return out;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  const auto stages = decode_stages(impl_->spec.decoder, out);
  for (const TokenId id : ids) {
    if (impl_->decodes(id, skip_special)) stages->put(impl_->piece(id), true);
  }
  stages->finish();
  return out;
}

std::string Tokenizer::piece(TokenId id) const { return std::string(impl_->piece(id)); }
int64_t Tokenizer::size() const { return static_cast<int64_t>(impl_->pieces.size()); }

std::optional<TokenId> Tokenizer::id_of(std::string_view token) const {
  if (const auto found = impl_->added_ids.find(token); found != impl_->added_ids.end()) {
    return found->second;
  }
  const TokenId id = impl_->spec.model.vocab.find(token);
  return id < 0 ? std::nullopt : std::optional(id);
}

bool Tokenizer::is_special(TokenId id) const { return impl_->special(id); }
std::optional<TokenId> Tokenizer::bos() const { return impl_->spec.bos; }
std::optional<TokenId> Tokenizer::eos() const { return impl_->spec.eos; }

struct StreamDecoder::Impl {
  const Tokenizer::Impl& tokenizer;
  bool skip_special;
  std::string out;
  std::unique_ptr<DecodeStage> stages;

  std::string take() { return std::exchange(out, {}); }
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : impl_(new Impl{*tokenizer.impl_, skip_special, {}, {}}) {
  impl_->stages = decode_stages(impl_->tokenizer.spec.decoder, impl_->out);
}
StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;

std::string StreamDecoder::push(TokenId id) {
  if (!impl_->tokenizer.decodes(id, impl_->skip_special)) return {};
  impl_->stages->put(impl_->tokenizer.piece(id), true);
  return impl_->take();
}

std::string StreamDecoder::finish() {
  impl_->stages->finish();
  impl_->stages = decode_stages(impl_->tokenizer.spec.decoder, impl_->out);
  return impl_->take();
}

void place_token(TokenizerSpec& spec, AddedToken token) {
  if (token.content.empty()) return;
  if (spec.added_index.emplace(token.content, spec.added.size()).second)
    spec.added.push_back(std::move(token));
}

void add_token(TokenizerSpec& spec, AddedToken token) {
  if (token.content.empty()) return;
  const auto [known, fresh] = spec.added_index.emplace(token.content, spec.added.size());
  if (!fresh) {  // added again: the later entry counts
    AddedToken& before = spec.added[known->second];
    token.id = before.id;
    before = std::move(token);
    return;
  }
  token.id = spec.model.vocab.find(token.content);
  if (token.id < 0) {
    const auto size = static_cast<TokenId>(spec.model.vocab.size());
    token.id = spec.highest_added < size ? size : spec.highest_added + 1;
  }
  spec.highest_added = std::max(spec.highest_added, token.id);
  spec.added.push_back(std::move(token));
}

std::unique_ptr<Tokenizer> build_tokenizer(TokenizerSpec spec) {
  return std::make_unique<Tokenizer>(std::make_unique<Tokenizer::Impl>(std::move(spec)));
}

std::unique_ptr<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json,
                                                std::string_view where) {
  return build_tokenizer(read_tokenizer_json(tokenizer_json, where));
}

TokenizerSpec read_tokenizer_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  const auto has = [&](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  };
  TokenizerSpec spec;
  if (has("tokenizer.json")) {
    const fs::path file = folder / "tokenizer.json";
    const std::string text = read_regular_file(file);
    refuse_placeholder(text, file.string());
    spec = read_tokenizer_json(text, file.string());
    add_tokens_of_files(folder, spec);
  } else if (has("tekken.json")) {
    const fs::path file = folder / "tekken.json";
    spec = read_tekken(read_regular_file(file), file.string());
    read_special_names(folder, spec);
  } else if (has("tiktoken.model")) {
    spec = read_kimi_files(folder);
    read_special_names(folder, spec);
  } else if (has("vocab.json") && has("merges.txt")) {
    spec = read_gpt2_files(folder);
  } else {
    fail(ErrorKind::io,
         "{}: no tokenizer: expected tokenizer.json, tekken.json, tiktoken.model, or vocab.json "
         "with merges.txt",
         folder.string());
  }
  return spec;
}

std::unique_ptr<Tokenizer> Tokenizer::from_folder(const std::filesystem::path& folder) {
  return build_tokenizer(read_tokenizer_folder(folder));
}

}  // namespace ashlar
