// Chat templates by the line: renders what comes in, for comparisons with other implementations, or
// times it.
//   bench_tokenizer_chat            a JSON object per line in: {"template", "messages", "tools",
//                                   "documents", "add_generation_prompt", "continued_field",
//                                   "variables", "now", "tokenizer" (a folder)};
//                                   out: {"text"}, with a tokenizer {"ids"}, or {"error"} per line
//   bench_tokenizer_chat --time N   renders every line N times and prints microseconds per
//   rendering
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "jinja/exact_json.h"
#include "text/chat_template.h"

namespace {

using ashlar::Json;

ashlar::ChatTemplateInput read_input(const Json& line) {
  ashlar::ChatTemplateInput input;
  const auto get = [&](const char* name) { return line.contains(name) ? line[name] : Json(); };
  input.messages = get("messages");
  input.tools = get("tools");
  input.documents = get("documents");
  input.variables = get("variables");
  if (line.contains("now")) input.now = line["now"].get<int64_t>();
  input.add_generation_prompt = line.value("add_generation_prompt", true);
  if (const Json field = get("continued_field"); field.is_string()) {
    input.continued_field = field.get<std::string>();
    input.add_generation_prompt = false;
  }
  return input;
}

const ashlar::Tokenizer& tokenizer(const std::string& folder) {
  static std::map<std::string, std::unique_ptr<ashlar::Tokenizer>> known;
  auto& found = known[folder];
  if (!found) found = ashlar::Tokenizer::from_folder(folder);
  return *found;
}

Json answer(const Json& line, int repeat) {
  try {
    const ashlar::ChatTemplate chat(line["template"].get<std::string>(), "template");
    const auto input = read_input(line);
    const auto begin = std::chrono::steady_clock::now();
    std::string text;
    for (int i = 0; i < repeat; ++i) text = chat.render(input);
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    if (line.contains("tokenizer")) {
      return {{"text", text},
              {"ids", encode_chat(tokenizer(line["tokenizer"].get<std::string>()),
                                  chat.render_pieces(input), chat.own_text())}};
    }
    if (repeat > 1) return {{"microseconds", time.count() / repeat}, {"bytes", text.size()}};
    return {{"text", text}};
  } catch (const ashlar::Error& error) {
    return {{"error", error.what()}, {"kind", static_cast<int>(error.kind())}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int repeat = argc > 2 && std::string(argv[1]) == "--time" ? std::atoi(argv[2]) : 1;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(ashlar::parse_exact_json(line, "line"), repeat)
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << std::endl;
  }
  return 0;
}
