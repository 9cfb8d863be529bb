// ashlar tokenize and detokenize: text to token ids and back.
#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "generate/prompt.h"

namespace ashlar::app {
namespace {

struct TextOptions {
  std::string model, text, file, lines, ids;
  const CLI::Option* given = nullptr;  // TEXT
  bool no_special = false, json = false;
};

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& source) {
  TextModel text = load_text(source);
  tokenizer_of(text);
  return std::move(text.tokenizer);
}

void tokenize(const TextOptions& o) {
  if ((o.given->count() > 0) + !o.file.empty() + !o.lines.empty() != 1)
    fail(ErrorKind::invalid, "expected exactly one of TEXT, --file F and --lines-json F");
  const auto tokenizer = load_tokenizer(o.model);
  const EncodeOptions options{.add_special = !o.no_special};
  if (!o.lines.empty()) {
    const Json lines = read_json(o.lines);
    if (!lines.is_array()) fail(ErrorKind::invalid, "{}: expected a JSON list of strings", o.lines);
    Json all = Json::array();
    for (const Json& line : lines) {
      if (!line.is_string())
        fail(ErrorKind::invalid, "{}: expected strings, found {}", o.lines, dumped(line));
      all.push_back(tokenizer->encode(line.get_ref<const std::string&>(), options));
    }
    return print_json(all);
  }
  const std::vector<TokenId> ids =
      tokenizer->encode(o.file.empty() ? o.text : read_file(o.file), options);
  if (o.json) {
    Json pieces = Json::array();
    for (const TokenId id : ids) pieces.push_back(tokenizer->piece(id));
    return print_json({{"ids", ids}, {"pieces", std::move(pieces)}});
  }
  for (const TokenId id : ids) std::printf("%8d  %s\n", id, tokenizer->piece(id).c_str());
}

void detokenize(const TextOptions& o) {
  if (o.ids.empty() == o.lines.empty()) {
    fail(ErrorKind::invalid, "expected exactly one of --ids 1,2,3 and --lines-json F");
  }
  const auto tokenizer = load_tokenizer(o.model);
  if (o.lines.empty()) {
    const std::string text = decoded(*tokenizer, parse_ids(o.ids, "--ids"), o.no_special);
    if (o.json) return print_json({{"text", text}});
    return print_text(text);
  }
  const Json lists = read_json(o.lines);
  if (!lists.is_array())
    fail(ErrorKind::invalid, "{}: expected a JSON list of lists of token ids", o.lines);
  Json all = Json::array();
  for (const Json& list : lists)
    all.push_back(decoded(*tokenizer, ids_of(list, o.lines), o.no_special));
  print_json(all);
}

Declared<TextOptions> text_command(CLI::App& app, const char* name, void (*run)(const TextOptions&),
                                   const char* about) {
  const auto declared = add_command(app, name, run, about);
  const auto& [command, o] = declared;
  add_value(command, "model", o.model, "MODEL",
            "model, or a folder that holds only tokenizer files")
      ->required();
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  return declared;
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto [command, o] = text_command(app, "tokenize", tokenize,
                                   "text to token ids, exactly as Hugging Face's tokenizers");
  o.given = add_value(command, "text", o.text, "TEXT", "text; special tokens in it are recognised");
  add_value(command, "--file", o.file, "F", "text file");
  add_value(command, "--lines-json", o.lines, "F",
            "JSON list of strings; prints a JSON list of id lists");
  command.add_flag("--no-special", o.no_special, "leave out beginning- and end-of-text tokens");
}

void add_detokenize(CLI::App& app) {
  auto [command, o] = text_command(app, "detokenize", detokenize, "token ids to text");
  add_value(command, "--ids", o.ids, "1,2,3", "token ids");
  add_value(command, "--lines-json", o.lines, "F",
            "JSON list of id lists; prints a JSON list of strings");
  command.add_flag("--no-special", o.no_special, "leave out special tokens");
}

}  // namespace ashlar::app
