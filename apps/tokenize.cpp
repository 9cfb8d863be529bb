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
  bool no_special = false, json = false, has_text = false;
};

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& source) {
  TextModel text = load_text(source);
  tokenizer_of(text);
  return std::move(text.tokenizer);
}

std::string spelled(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void tokenize(const TextOptions& o) {
  if (o.has_text + !o.file.empty() + !o.lines.empty() != 1) {
    fail(ErrorKind::invalid, "expected exactly one of TEXT, --file F and --lines-json F");
  }
  const auto tokenizer = load_tokenizer(o.model);
  const EncodeOptions options{.add_special = !o.no_special};
  if (!o.lines.empty()) {
    const Json lines = read_json(o.lines);
    if (!lines.is_array()) fail(ErrorKind::invalid, "{}: expected a JSON list of strings", o.lines);
    Json all = Json::array();
    for (const Json& line : lines) {
      if (!line.is_string())
        fail(ErrorKind::invalid, "{}: expected strings, found {}", o.lines, spelled(line));
      all.push_back(tokenizer->encode(line.get_ref<const std::string&>(), options));
    }
    std::printf("%s\n", spelled(all).c_str());
    return;
  }
  const std::vector<TokenId> ids =
      tokenizer->encode(o.file.empty() ? o.text : read_file(o.file), options);
  if (o.json) {
    Json pieces = Json::array();
    for (const TokenId id : ids) pieces.push_back(tokenizer->piece(id));
    std::printf("%s\n", spelled({{"ids", ids}, {"pieces", std::move(pieces)}}).c_str());
    return;
  }
  for (const TokenId id : ids) std::printf("%8d  %s\n", id, tokenizer->piece(id).c_str());
}

/// The text of ids that the tokenizer has; Error(invalid) for another.
std::string decoded(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool no_special) {
  for (const TokenId id : ids) {
    if (tokenizer.piece(id).empty()) {
      fail(ErrorKind::invalid, "token id {}: the tokenizer has no such token, its ids end at {}",
           id, tokenizer.size() - 1);
    }
  }
  return tokenizer.decode(ids, no_special);
}

void detokenize(const TextOptions& o) {
  if (o.ids.empty() == o.lines.empty()) {
    fail(ErrorKind::invalid, "expected exactly one of --ids 1,2,3 and --lines-json F");
  }
  const auto tokenizer = load_tokenizer(o.model);
  if (o.lines.empty()) {
    const std::string text = decoded(*tokenizer, parse_ids(o.ids, "--ids"), o.no_special);
    if (o.json)
      std::printf("%s\n", spelled({{"text", text}}).c_str());
    else
      print_text(text);
    return;
  }
  const Json lists = read_json(o.lines);
  if (!lists.is_array())
    fail(ErrorKind::invalid, "{}: expected a JSON list of lists of token ids", o.lines);
  Json all = Json::array();
  for (const Json& list : lists)
    all.push_back(decoded(*tokenizer, ids_of(list, o.lines), o.no_special));
  std::printf("%s\n", spelled(all).c_str());
}

CLI::App* text_command(CLI::App& app, const std::shared_ptr<TextOptions>& o, const char* name,
                       const char* about) {
  CLI::App* command = app.add_subcommand(name, about);
  add_value(*command, "model", o->model, "MODEL",
            "model, or a folder that holds only tokenizer files")
      ->required();
  command->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  return command;
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto o = std::make_shared<TextOptions>();
  CLI::App* command =
      text_command(app, o, "tokenize", "text to token ids, exactly as Hugging Face's tokenizers");
  CLI::Option* text =
      command->add_option("text", o->text, "text; special tokens in it are recognised");
  text->type_name("TEXT");
  add_value(*command, "--file", o->file, "F", "text file");
  add_value(*command, "--lines-json", o->lines, "F",
            "JSON list of strings; prints a JSON list of id lists");
  command->add_flag("--no-special", o->no_special, "leave out beginning- and end-of-text tokens");
  command->callback([o, text] {
    o->has_text = text->count() > 0;
    tokenize(*o);
  });
}

void add_detokenize(CLI::App& app) {
  auto o = std::make_shared<TextOptions>();
  CLI::App* command = text_command(app, o, "detokenize", "token ids to text");
  add_value(*command, "--ids", o->ids, "1,2,3", "token ids");
  add_value(*command, "--lines-json", o->lines, "F",
            "JSON list of id lists; prints a JSON list of strings");
  command->add_flag("--no-special", o->no_special, "leave out special tokens");
  command->callback([o] { detokenize(*o); });
}

}  // namespace ashlar::app
