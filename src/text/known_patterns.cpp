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

// In escapes: some of these letters are others in normal form C, which editors like to write.
const char* const kDeepseekLetters =
    R"(\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293)"
    R"(\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C)"
    R"(\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-)"
    R"(\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A)"
    R"(\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D)"
    R"(\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3)"
    R"(\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115)"
    R"(\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-)"
    R"(\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-)"
    R"(\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06)"
    R"(\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲)"
    R"(𑢠-𑣟𞤀-𞥃]+)";
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
      {" seed-coder ",
       {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+)" SPACES}},
      {" gpt-4o llama4 o200k minimax-m2 ",
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
