// Normalizers of tokenizer.json.
#include "text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/character_runs.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/unicode.h"

namespace ashlar {
namespace {

// A run of characters that the table knows, in normal form `form`.
void append_normal(std::string_view run, NormalForm form, std::string& out) {
  if (std::all_of(run.begin(), run.end(), [](char c) { return c >= 0; })) {
    out += run;
    return;
  }
  const bool compat = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const bool compose = form == NormalForm::nfc || form == NormalForm::nfkc;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (compat ? UTF8PROC_COMPAT : 0) |
                                     (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE));
  utf8proc_uint8_t* result = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(run.data()),
                                 static_cast<utf8proc_ssize_t>(run.size()), &result, options);
  if (size < 0) fail(ErrorKind::resource, "normalization: {}", utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(result), static_cast<size_t>(size));
  std::free(result);
}

NormalizerPtr mapping(std::function<void(std::string&)> apply) {
  return std::make_shared<Normalizer>(Normalizer{std::move(apply)});
}

/// Normalizers may multiply a text, one after the other.
void check_growth(size_t bytes) {
  constexpr size_t kMost = size_t{1} << 28;
  if (bytes > kMost) {
    fail(ErrorKind::resource,
         "the tokenizer's normalizers make more than {} bytes of this text; give it in parts, if "
         "the tokenizer is meant to do that",
         kMost);
  }
}

}  // namespace

NormalizerPtr unicode_normalizer(NormalForm form) {
  Normalizer normalizer;
  // Characters younger than the reference's table pass as they are; runs of those it knows go to
  // utf8proc.
  normalizer.apply = [form](std::string& text) {
    std::string out;
    out.reserve(text.size() + 16);
    size_t run = 0, i = 0;
    while (i < text.size()) {
      size_t next = i;
      const uint32_t c = utf8::next(text, next);
      if (!unicode::is_norm_active(c)) {
        append_normal(std::string_view(text).substr(run, i - run), form, out);
        out.append(text, i, next - i);
        run = next;
      }
      i = next;
    }
    append_normal(std::string_view(text).substr(run), form, out);
    text = std::move(out);
  };
  normalizer.leaves = [form](std::string_view text) {
    for (size_t i = 0; i < text.size();) {
      if (static_cast<unsigned char>(text[i]) < 0x80) {
        ++i;
        continue;
      }
      const uint32_t c = utf8::next(text, i);
      if (form == NormalForm::nfc ? c >= 0x300 && unicode::is_nfc_checked(c)
                                  : unicode::is_norm_active(c))
        return false;
    }
    return true;
  };
  return std::make_shared<Normalizer>(std::move(normalizer));
}

NormalizerPtr lowercase_normalizer() {
  return mapping([](std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
      const uint32_t c = utf8::next(text, i);
      utf8::append(c == 0x130 ? 'i' : unicode::lower(c), out);
      if (c == 0x130) utf8::append(0x307, out);  // the one character whose lower case is two
    }
    text = std::move(out);
  });
}

NormalizerPtr strip_normalizer(bool left, bool right) {
  return mapping([left, right](std::string& text) {
    size_t begin = 0, end = text.size();
    if (left) begin = utf8::end_of_run(text, begin, unicode::is_space);
    if (right) end = utf8::begin_of_run(text, begin, end, unicode::is_space);
    text = text.substr(begin, end - begin);
  });
}

NormalizerPtr strip_accents_normalizer() {
  return mapping([](std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      const size_t begin = i;
      const uint32_t c = utf8::next(text, i);
      if (!unicode::is_accent(c)) out.append(text, begin, i - begin);
    }
    text = std::move(out);
  });
}

NormalizerPtr prepend_normalizer(std::string prefix) {
  return mapping([prefix = std::move(prefix)](std::string& text) {
    check_growth(text.size() + prefix.size());
    if (!text.empty()) text.insert(0, prefix);
  });
}

NormalizerPtr replace_normalizer(Pattern pattern, std::string content) {
  return mapping([pattern = std::move(pattern), content = std::move(content)](std::string& text) {
    text = pattern.replaced(text, content, check_growth);
  });
}

NormalizerPtr replace_char_normalizer(char from, std::string content) {
  Normalizer normalizer;
  normalizer.apply = [from, content = std::move(content)](std::string& text) {
    const auto count = static_cast<size_t>(std::count(text.begin(), text.end(), from));
    if (count == 0) return;
    const size_t size = text.size() + count * content.size() - count;
    check_growth(size);
    std::string out;
    out.resize(size);
    char* to = out.data();
    for (const char c : text) {
      if (c != from) {
        *to++ = c;
        continue;
      }
      for (const char r : content) *to++ = r;
    }
    text = std::move(out);
  };
  normalizer.leaves = [from](std::string_view text) {
    return text.find(from) == std::string_view::npos;
  };
  return std::make_shared<Normalizer>(std::move(normalizer));
}

NormalizerPtr alphabet_normalizer() {
  return mapping([](std::string& text) { text = bytes_to_alphabet(text); });
}

NormalizerPtr normalizer_sequence(std::vector<NormalizerPtr> parts) {
  if (parts.size() == 1) return parts[0];
  Normalizer normalizer;
  normalizer.apply = [parts](std::string& text) {
    for (const NormalizerPtr& part : parts) {
      if (!part->leaves(text)) part->apply(text);
    }
  };
  normalizer.leaves = [parts](std::string_view text) {
    return std::all_of(parts.begin(), parts.end(),
                       [&](const NormalizerPtr& part) { return part->leaves(text); });
  };
  return std::make_shared<Normalizer>(std::move(normalizer));
}

}  // namespace ashlar
