// Chat templates by the line: renders what comes in, for comparisons with other implementations, or
// times it.
//   bench_tokenizer_chat            a JSON object per line in: {"template", "messages", "tools",
//   "documents",
//                                   "add_generation_prompt", "variables", "now"}; out: {"text"} or
//                                   {"error"} per line
//   bench_tokenizer_chat --time N   renders every line N times and prints microseconds per
//   rendering
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/json.h"
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
  return input;
}

Json answer(const Json& line, int repeat) {
  try {
    const ashlar::ChatTemplate chat(line["template"].get<std::string>(), "template");
    const auto input = read_input(line);
    const auto begin = std::chrono::steady_clock::now();
    std::string text;
    for (int i = 0; i < repeat; ++i) text = chat.render(input);
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
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
    std::cout << answer(ashlar::parse_json(line, "line", 300), repeat)
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << std::endl;
  }
  return 0;
}
