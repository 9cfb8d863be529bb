// Counts a model, answers a question with it, and goes on with two texts at once.
#include <ashlar/ashlar.h>

#include <cstdio>
#include <iostream>

int main(int argc, char** argv) try {
  const auto model = ashlar::Model::load(argc > 1 ? argv[1] : "qwen3-0.6b", {.random = 7});
  const ashlar::Count count = ashlar::count(model, {.context = 1024});
  std::printf("%s: %lld parameters\n", model.blueprint().name().c_str(),
              static_cast<long long>(count.parameters.total));

  ashlar::Engine engine(model, {.context = 1024, .sequences = 2});
  const ashlar::GenerateOptions options{.max_tokens = 8, .sampling = {.temperature = 0.8f}};
  const std::vector<ashlar::TokenId> prompt =
      model.has_chat_template() ? model.chat_ids({.messages = {{"user", "Hello!"}}})
                                : std::vector<ashlar::TokenId>{1, 2, 3};
  ashlar::Stream first(engine, prompt, options), second(engine, prompt, {.max_tokens = 8});
  ashlar::Stream* const both[] = {&first, &second};
  while (!first.ended() || !second.ended())
    for (const auto& text : ashlar::Stream::advance(both)) std::cout << text.value_or("");
  for (const auto id : second.result().ids) std::printf(" %d", id);
  std::printf("\n");
} catch (const ashlar::Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
