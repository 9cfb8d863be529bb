// Patterns as the families' own tokenizer files spell them.
#include "text/known_patterns.h"

#include <fmt/format.h>

#include <string>

#include "text/pre_tokenizer.h"

// Suffixes such as 's after a word.
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
// What the patterns since GPT-4 end with.
#define SPACES R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define GPT4(digits) \
  CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" digits R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)" SPACES
// Words by case: upper then lower; `narrow` goes into the classes.
#define CASED(narrow, suffix)                                   \
  R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M})" narrow  \
  R"(]*[\p{Ll}\p{Lm}\p{Lo}\p{M})" narrow "]+" suffix            \
  R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M})" narrow \
  R"(]+[\p{Ll}\p{Lm}\p{Lo}\p{M})" narrow "]*" suffix

namespace ashlar {

const char* const kKimiPattern = R"([\p{Han}]+|)" CASED(
    R"(&&[^\p{Han}])", CONTRACTIONS "?") R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" SPACES;

namespace {

const char* const kDeepseekLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
const char* const kDeepseekCjk = R"([\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+)";
const char* const kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*)" SPACES;

}  // namespace

const KnownPatterns* known_patterns(std::string_view name) {
  static const std::vector<KnownPatterns> kAll = {
      {" gpt-2 phi-2 mpt olmo jais trillion granite-docling jina-es jina-de roberta-bpe ",
       {kGpt2Pattern}},
      {" smollm starcoder refact command-r codeshell exaone minerva-7b ",
       {R"(\p{N})", kGpt2Pattern}},
      {" llama3 llama-v3 llama-bpe falcon3 smollm3 ", {GPT4(R"(\p{N}{1,3})")}, true, true},
      {" dbrx smaug-bpe olmo2 chatglm-bpe glm4 ", {GPT4(R"(\p{N}{1,3})")}},
      {" qwen2 deepseek-r1-qwen ", {GPT4(R"(\p{N})")}, false, false, true},
      {" stablelm2 hunyuan solar-open grok-2 ", {GPT4(R"(\p{N})")}},
      {" gpt-4o llama4 o200k ",
       {CASED("", CONTRACTIONS "?") R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" SPACES}},
      {" tekken ", {CASED("", "") R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" SPACES}, true, true},
      {" deepseek-llm ",
       {R"([\r\n])", kDeepseekLetters, R"(\s?[!-/:-~！-／：-～‘-‟\u3000-。]+)", R"(\s+$)",
        kDeepseekCjk, R"(\p{N})"}},
      {" deepseek-coder ", {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekCjk, R"(\p{N})"}},
      {" deepseek-v3 hunyuan-dense ",
       {R"(\p{N}{1,3})", R"([\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+)", kDeepseek3}},
      {" kimi-k2 ", {kKimiPattern}},
      {" default ", {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Pattern, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
  };
  const std::string key = fmt::format(" {} ", name.empty() ? "default" : name);
  for (const KnownPatterns& k : kAll) {
    if (k.names.find(key) != std::string_view::npos) return &k;
  }
  return nullptr;
}

}  // namespace ashlar
