// The library as other programs see it: public headers alone, against the golden data.
#undef ASHLAR_INSIDE
#include "ashlar/ashlar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/paths.h"

namespace {

namespace fs = std::filesystem;
using ashlar::Blueprint, ashlar::Engine, ashlar::Model, ashlar::Stream;
using ashlar::TokenId;

/// A golden model (tests/golden/models): its folder, ids and the reference's numbers.
struct Golden {
  std::string model;
  std::vector<TokenId> ids;
  double loss = 0;
  std::map<std::string, std::vector<float>> expected;
};

Golden golden(const std::string& name) {
  const fs::path folder = fs::path(ashlar::source_dir()) / "tests/golden/models" / name;
  const auto about = nlohmann::json::parse(std::ifstream(folder / "case.json"));
  Golden g{.model = (folder / "model").string(),
           .ids = about.at("ids").get<std::vector<TokenId>>(),
           .loss = about.at("loss").get<double>()};
  // safetensors: the header's length, the header, the numbers.
  std::ifstream file(folder / "expected.safetensors", std::ios::binary);
  uint64_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof length);
  std::string header(length, ' ');
  file.read(header.data(), static_cast<std::streamsize>(length));
  const std::string data(std::istreambuf_iterator<char>(file), {});
  const auto tensors = nlohmann::json::parse(header);
  for (const auto& [key, tensor] : tensors.items()) {
    if (key == "__metadata__") continue;
    const size_t begin = tensor.at("data_offsets")[0], end = tensor.at("data_offsets")[1];
    std::vector<float>& values = g.expected[key];
    values.resize((end - begin) / sizeof(float));
    std::copy(data.begin() + static_cast<std::ptrdiff_t>(begin),
              data.begin() + static_cast<std::ptrdiff_t>(end),
              reinterpret_cast<char*>(values.data()));
  }
  return g;
}

double worst(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0, largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return largest > 0 ? most / largest : most;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ashlar::Error& e) {
    return e.what();
  }
  return "";
}

constexpr const char* kName = "llama_tied_wide_heads";

TEST(Face, LogitsAndGradientsAreTheReferences) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  Engine engine(model, {.f32_activations = true});
  const ashlar::FloatArray logits = engine.logits(g.ids);
  EXPECT_EQ(logits.sizes, (std::vector<int64_t>{static_cast<int64_t>(g.ids.size()), 80}));
  EXPECT_LT(worst(logits.values, g.expected.at("logits")), 1e-4);
  // The array is the caller's: what the engine does next leaves it alone.
  const std::vector<float> before(logits.values.begin(), logits.values.end());
  const ashlar::FloatArray last =
      engine.logits(std::span(g.ids).first(3), ashlar::Run::Logits::last);
  EXPECT_EQ(last.sizes, (std::vector<int64_t>{1, 80}));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), logits.values.begin()));
  EXPECT_LT(worst(last.values, logits.values.subspan(2 * 80, 80)), 1e-5);

  const ashlar::Gradients gradients = model.gradients(g.ids);
  EXPECT_NEAR(gradients.loss, g.loss, 1e-4);
  ASSERT_FALSE(gradients.tensors.empty());
  size_t compared = 0;
  for (const auto& [name, gradient] : gradients.tensors) {
    const auto expected = g.expected.find("grad." + name);
    if (expected == g.expected.end()) continue;
    ++compared;
    EXPECT_LT(worst(gradient.values, expected->second), 1e-3) << name;
  }
  EXPECT_GT(compared, 10u);
}

TEST(Face, SequencesOfAnEngine) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  Engine engine(model, {.context = 64, .sequences = 2, .f32_activations = true});
  const auto a = engine.open().value(), b = engine.open().value();
  EXPECT_FALSE(engine.open().has_value());
  const std::span<const TokenId> ids(g.ids);
  const ashlar::Run runs[] = {{a, ids.first(5), ashlar::Run::Logits::last},
                              {b, ids.first(7), ashlar::Run::Logits::all}};
  const auto rows = engine.step(runs);
  ASSERT_EQ(rows.size(), 8u * 80);
  EXPECT_LT(worst(rows.first(80), std::span(g.expected.at("logits")).subspan(4 * 80, 80)), 1e-4);
  EXPECT_EQ(engine.length(b), 7);
  engine.close(a);
  const auto c = engine.fork(b).value();
  EXPECT_EQ(engine.length(c), 7);
  engine.truncate(c, 5);
  const ashlar::Run more{c, ids.subspan(5, 2), ashlar::Run::Logits::last};
  EXPECT_LT(worst(engine.step({&more, 1}), std::span(g.expected.at("logits")).subspan(6 * 80, 80)),
            1e-4);
}

/// Greedy tokens, each from the logits of the whole sequence.
std::vector<TokenId> greedy(const Model& model, std::vector<TokenId> ids, size_t count) {
  Engine engine(model, {.f32_activations = true});
  const size_t begin = ids.size();
  while (ids.size() < begin + count) {
    const auto row = engine.logits(ids, ashlar::Run::Logits::last);
    ids.push_back(static_cast<TokenId>(std::max_element(row.values.begin(), row.values.end()) -
                                       row.values.begin()));
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end()};
}

TEST(Face, StreamsAloneAndTogether) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  const std::vector<std::vector<TokenId>> prompts = {
      {g.ids.begin(), g.ids.begin() + 9}, {g.ids.begin() + 4, g.ids.begin() + 6}, {g.ids[0]}};
  ashlar::GenerateOptions options{.max_tokens = 6, .ignore_end = true};
  std::vector<std::vector<TokenId>> expected;
  for (const auto& prompt : prompts) expected.push_back(greedy(model, prompt, 6));

  Engine engine(model, {.context = 64, .sequences = 2, .f32_activations = true});
  for (size_t i = 0; i < prompts.size(); ++i) {
    Stream stream(engine, prompts[i], options);
    size_t tokens = 0;
    while (stream.next()) EXPECT_EQ(stream.result().ids.size(), ++tokens);
    EXPECT_TRUE(stream.ended());
    EXPECT_EQ(stream.result().ids, expected[i]);
    EXPECT_EQ(stream.result().stop, ashlar::StopReason::max_tokens);
    EXPECT_EQ(ashlar::generate(engine, prompts[i], options).ids, expected[i]);
  }
  // Three prompts over two sequences.
  const auto results = ashlar::generate(engine, prompts, options);
  for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(results[i].ids, expected[i]) << i;

  // One joins later and one leaves early; the other notices nothing.
  Stream first(engine, prompts[0], options);
  ASSERT_TRUE(first.next());
  Stream second(engine, prompts[1], options);
  Stream* const both[] = {&first, &second};
  ASSERT_TRUE(Stream::advance(both)[1]);
  second.cancel();
  EXPECT_EQ(second.result().stop, ashlar::StopReason::interrupted);
  EXPECT_EQ(second.result().ids, std::vector<TokenId>{expected[1][0]});
  EXPECT_FALSE(Stream::advance(both)[1]);
  while (first.next()) {
  }
  EXPECT_EQ(first.result().ids, expected[0]);
  EXPECT_TRUE(engine.open() && engine.open()) << "ended streams have given their sequences back";
}

TEST(Face, DraftingStreamsGiveTheSameTokens) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  const std::vector<TokenId> prompt(g.ids.begin(), g.ids.begin() + 9);
  Engine engine(model, {.context = 64, .sequences = 2});
  for (const float temperature : {0.0f, 1.0f}) {
    ashlar::GenerateOptions options{.max_tokens = 30, .ignore_end = true};
    options.sampling.temperature = temperature;
    const auto expected = ashlar::generate(engine, prompt, options);
    for (const auto& drafter : {ashlar::lookup_drafter(), ashlar::model_drafter(model, model)}) {
      options.drafter = drafter;
      Stream stream(engine, prompt, options);
      std::string text;
      while (const auto piece = stream.next()) text += *piece;
      EXPECT_EQ(stream.result().ids, expected.ids);
      EXPECT_EQ(text, expected.text);
      EXPECT_EQ(ashlar::generate(engine, prompt, options).ids, expected.ids);
      EXPECT_LE(stream.result().accepted_tokens, stream.result().drafted_tokens);
    }
    // The model that drafts for itself is right where the most likely token is chosen.
    Stream stream(engine, prompt, options);
    while (stream.next()) {
    }
    if (temperature == 0) {
      EXPECT_GT(stream.result().accepted_tokens, 15);
    }
  }
  // Beside another, with guesses in the same steps, and no token depends on the company.
  Engine fixed(model, {.context = 64, .sequences = 2, .deterministic = true});
  ashlar::GenerateOptions options{.max_tokens = 20, .ignore_end = true};
  const auto expected = ashlar::generate(fixed, prompt, options);
  options.drafter = ashlar::model_drafter(model, model);
  Stream first(fixed, prompt, options);
  options.drafter = ashlar::lookup_drafter();
  Stream second(fixed, std::vector<TokenId>{g.ids[3]}, options);
  Stream* const both[] = {&first, &second};
  while (!first.ended() || !second.ended()) Stream::advance(both);
  EXPECT_EQ(first.result().ids, expected.ids);
  EXPECT_GT(first.result().accepted_tokens, 8);
  options.drafter = nullptr;
  EXPECT_EQ(second.result().ids,
            ashlar::generate(fixed, std::vector<TokenId>{g.ids[3]}, options).ids);
}

/// One drafter of the model's own layer for all streams of its engine, prompts in several steps.
TEST(Face, AModelDraftsForItsStreams) {
  const Golden g = golden("deepseek_v3_mtp");
  const Model model = Model::load(g.model);
  const std::vector<TokenId> a(g.ids.begin(), g.ids.begin() + 9), b(g.ids.begin() + 3, g.ids.end());
  for (const int64_t chunk : {4, 64}) {
    const ashlar::EngineOptions made{
        .context = 96, .sequences = 2, .chunk = chunk, .deterministic = true};
    ashlar::EngineOptions with = made;
    with.mtp = true;
    Engine plain(model, made), engine(model, with);
    ashlar::GenerateOptions options{.max_tokens = 20, .ignore_end = true};
    const auto one = ashlar::generate(plain, a, options), two = ashlar::generate(plain, b, options);
    options.drafter = ashlar::mtp_drafter(engine);
    EXPECT_EQ(ashlar::generate(engine, a, options).ids, one.ids);
    Stream alone(engine, b, options);
    while (alone.next()) {
    }
    EXPECT_EQ(alone.result().ids, two.ids);
    EXPECT_GT(alone.result().drafted_tokens, 10);
    // The guesses of two that share steps are those of each alone.
    Stream first(engine, a, options), second(engine, b, options);
    Stream* const both[] = {&first, &second};
    while (!first.ended() || !second.ended()) Stream::advance(both);
    EXPECT_EQ(first.result().ids, one.ids);
    EXPECT_EQ(second.result().ids, two.ids);
    EXPECT_EQ(second.result().drafted_tokens, alone.result().drafted_tokens);
    EXPECT_EQ(second.result().accepted_tokens, alone.result().accepted_tokens);
    // A beginning that nobody drafted for: no guesses, and the same tokens.
    const auto sequence = engine.open().value();
    const ashlar::Run run{sequence, std::span(a).first(5), ashlar::Run::Logits::none};
    engine.step({&run, 1});
    Stream taken(engine, a, options, sequence);
    while (taken.next()) {
    }
    EXPECT_EQ(taken.result().ids, one.ids);
    EXPECT_EQ(taken.result().drafted_tokens, 0);
  }
  Engine plain(model, {.context = 64});
  EXPECT_THROW(ashlar::mtp_drafter(plain), ashlar::Error);
  EXPECT_THROW(Engine(Model::load(golden(kName).model), {.context = 64, .mtp = true}),
               ashlar::Error);
}

TEST(Face, ALongPromptDoesNotStopTheOthers) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  std::vector<TokenId> prompt;
  while (prompt.size() < 1300) prompt.insert(prompt.end(), g.ids.begin(), g.ids.end());
  Engine engine(model, {.context = 2000, .sequences = 2, .f32_activations = true});
  const ashlar::GenerateOptions options{.max_tokens = 5, .ignore_end = true};
  const auto alone = ashlar::generate(engine, prompt, options).ids;
  Stream quick(engine, g.ids, options), slow(engine, prompt, options);
  Stream* const both[] = {&quick, &slow};
  Stream::advance(both);
  EXPECT_EQ(quick.result().ids.size(), 1u);
  EXPECT_EQ(slow.result().ids.size(), 0u);
  EXPECT_EQ(engine.length(slow.sequence()), 512);
  while (!quick.ended() || !slow.ended()) Stream::advance(both);
  EXPECT_EQ(slow.result().ids, alone);
  EXPECT_EQ(slow.result().evaluated_tokens, static_cast<int64_t>(prompt.size()));
}

TEST(Face, StreamsEndForEveryReason) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  Engine engine(model, {.context = 12, .f32_activations = true});
  const std::span<const TokenId> prompt = std::span(g.ids).first(10);
  EXPECT_EQ(ashlar::generate(engine, prompt, {.ignore_end = true}).stop,
            ashlar::StopReason::context_full);
  Stream full(engine, prompt, {.ignore_end = true});
  while (full.next()) {
  }
  EXPECT_EQ(full.result().stop, ashlar::StopReason::context_full);
  EXPECT_EQ(full.result().ids.size(), 3u) << "the last is chosen and never evaluated";
  Stream nothing(engine, prompt, {.max_tokens = 0});
  EXPECT_TRUE(nothing.ended());
  bool enough = false;
  Stream asked(engine, prompt, {.interrupted = [&] { return enough; }});
  enough = true;
  EXPECT_EQ(asked.next(), "");
  EXPECT_EQ(asked.next(), std::nullopt);
  EXPECT_EQ(asked.result().stop, ashlar::StopReason::interrupted);
  EXPECT_NE(error_of([&] { Stream stream(engine, {}); }).find("no tokens"), std::string::npos);
  const Stream holds(engine, prompt);
  EXPECT_NE(error_of([&] { Stream stream(engine, prompt); }).find("`sequences`"),
            std::string::npos);
}

TEST(Face, ASequenceIsTakenOver) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  Engine engine(model, {.context = 64, .sequences = 3, .f32_activations = true});
  const ashlar::GenerateOptions options{.max_tokens = 4, .ignore_end = true};
  const auto shared = engine.open().value();
  const std::span<const TokenId> ids(g.ids);
  const ashlar::Run run{shared, ids.first(8), ashlar::Run::Logits::none};
  engine.step({&run, 1});
  Stream stream(engine, ids.first(12), options, engine.fork(shared));
  while (stream.next()) {
  }
  EXPECT_EQ(stream.result().evaluated_tokens, 4);
  EXPECT_EQ(stream.result().ids, greedy(model, {g.ids.begin(), g.ids.begin() + 12}, 4));
  EXPECT_NE(error_of([&] { Stream(engine, ids.first(8), options, shared); }).find("fewer than"),
            std::string::npos);
}

TEST(Face, EnginesOfOneModelAtATime) {
  const Golden g = golden(kName);
  std::vector<std::vector<float>> found(3);
  {
    const Model model = Model::load(g.model);
    std::vector<std::thread> threads;
    for (auto& values : found)
      threads.emplace_back([&] {
        Engine engine(model, {.threads = 1, .f32_activations = true, .pinned = false});
        const auto logits = engine.logits(g.ids);
        values.assign(logits.values.begin(), logits.values.end());
      });
    for (std::thread& t : threads) t.join();
  }
  for (const auto& values : found) EXPECT_EQ(values, found[0]);
  EXPECT_LT(worst(found[0], g.expected.at("logits")), 1e-4);
}

TEST(Face, TextOfAFolderWithATokenizerAlone) {
  const fs::path sources = fs::path(ashlar::source_dir()) / "tests/text";
  const auto file = nlohmann::json::parse(std::ifstream(sources / "tokenizers/llama3.json"));
  const auto corpus = nlohmann::json::parse(std::ifstream(sources / "tokenizers/corpus.json"));
  const fs::path folder = fs::path(ashlar::binary_dir()) / "face_tokenizer";
  fs::create_directories(folder);
  std::ofstream(folder / "tokenizer.json") << file.at("tokenizer").dump();
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"chat_template": "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{{ x }}"})";
  const Model model = Model::load_text(folder.string());
  size_t compared = 0;
  for (size_t i = 0; i < corpus.size(); ++i) {
    if (!corpus[i].is_string()) continue;
    ++compared;
    const auto ids = model.tokenize(corpus[i].get<std::string>());
    EXPECT_EQ(ids, file.at("golden")[i][0].get<std::vector<TokenId>>()) << corpus[i];
    EXPECT_EQ(model.detokenize(ids), file.at("golden")[i][2].get<std::string>());
    ashlar::Decoder decoder(model);
    std::string text;
    for (const TokenId id : ids) text += decoder.push(id);
    EXPECT_EQ(text + decoder.finish(), file.at("golden")[i][2].get<std::string>());
  }
  EXPECT_GT(compared, 20u);
  EXPECT_EQ(
      model.render({.messages = {{"user", "hi"}, {"assistant", "yes"}}, .variables = {"x=3"}}),
      "[user]hi[assistant]yes3");
  EXPECT_EQ(model.render({.messages_json = R"([{"role": "user", "content": "hi"}])"}), "[user]hi");
  EXPECT_EQ(
      model.render({.messages = {{"user", "hi"}}, .chat_template = "{{ messages | length }}"}),
      "1");
  EXPECT_EQ(model.chat_ids({.messages = {{"user", "hi"}}}),
            model.tokenize("[user]hi", {.add_special = false}));
  EXPECT_NE(error_of([&] { model.blueprint(); }).find("text alone"), std::string::npos);
  EXPECT_NE(error_of([&] { Engine engine(model); }).find("without weights"), std::string::npos);
  EXPECT_NE(
      error_of([&] { model.detokenize(std::vector<TokenId>{1 << 20}); }).find("no such token"),
      std::string::npos);
}

TEST(Face, Readings) {
  const Blueprint a = Blueprint::load("qwen3-0.6b"), b = Blueprint::load("olmo-2-7b");
  EXPECT_EQ(ashlar::count(a, {.training = false}).parameters.total, 596049920);
  EXPECT_EQ(a.layers(), 28);
  EXPECT_EQ(a.width(), 1024);
  EXPECT_EQ(Blueprint::from_json(a.json()), a);
  EXPECT_TRUE(a.differences(a).empty());
  EXPECT_FALSE(a.differences(b).empty());
  const auto names = Blueprint::names();
  EXPECT_TRUE(std::find(names.begin(), names.end(), "qwen3-0.6b") != names.end());
  const std::vector<Blueprint> two = {a, b};
  EXPECT_EQ(ashlar::compare(two).models, (std::vector<std::string>{"qwen3-0.6b", "olmo-2-7b"}));
  EXPECT_NE(ashlar::draw(a).find("<svg"), std::string::npos);
  EXPECT_NE(ashlar::draw(two, {.format = ashlar::DrawFormat::text}).find("olmo-2-7b"),
            std::string::npos);
  EXPECT_NE(ashlar::draw_graph(a, ashlar::DrawnGraph::training), ashlar::draw_graph(a));
  EXPECT_THROW(ashlar::draw_graph(a, ashlar::DrawnGraph::training, {}, true), ashlar::Error);
  EXPECT_FALSE(ashlar::explain(a, "layers.0.attn").parts.empty());
  EXPECT_NE(ashlar::report(two).find("<html"), std::string::npos);
  const auto h100 = ashlar::load_machine("h100-sxm");
  EXPECT_TRUE(ashlar::predict(a, h100).memory.fits);
  ASSERT_EQ(ashlar::settle_claims({"kimi-k2-active"}).size(), 1u);
  EXPECT_EQ(ashlar::settle_claims({"kimi-k2-active"})[0].verdict, "holds");
  EXPECT_NE(error_of([] { Blueprint::load("qwen3-0.6"); }).find("qwen3-0.6b"), std::string::npos);
}

TEST(Face, CountsOfAModelAreOfItsFormats) {
  const Model model = Model::load(golden(kName).model, {.random = 1, .weights = "q8_0"});
  const ashlar::Count c = ashlar::count(model);
  EXPECT_TRUE(c.weights.by_format.contains("q8_0"));
  EXPECT_FALSE(ashlar::count(model.blueprint()).weights.by_format.contains("q8_0"));
  const auto names = model.parameters();
  ASSERT_FALSE(names.empty());
  const ashlar::FloatArray first = model.parameter(names[0]);
  int64_t elements = 1;
  for (const int64_t n : first.sizes) elements *= n;
  EXPECT_EQ(static_cast<int64_t>(first.values.size()), elements);
  EXPECT_NE(error_of([&] { model.parameter("nothing"); }).find("nothing"), std::string::npos);
}

TEST(Face, AFolderTakesTheDatasPlace) {
  const fs::path folder = fs::path(ashlar::binary_dir()) / "face_data";
  fs::create_directories(folder / "blueprints");
  std::ofstream(folder / "blueprints/mine.json") << Blueprint::load("qwen3-0.6b").json();
  ashlar::use_data_folder(folder.string());
  EXPECT_EQ(Blueprint::names(), std::vector<std::string>{"mine"});
  EXPECT_EQ(Blueprint::load("mine").layers(), 28);
  EXPECT_NO_THROW(ashlar::load_machine("h100-sxm")) << "machines are not in the folder";
  ashlar::use_data_folder("");
  EXPECT_GT(Blueprint::names().size(), 50u);
  EXPECT_NE(error_of([&] { ashlar::use_data_folder((folder / "no").string()); }), "");
}

TEST(Face, ErrorsNameOptionsOfTheLibrary) {
  const Golden g = golden(kName);
  const Model model = Model::load(g.model);
  Engine engine(model, {.context = 4});
  const std::string message = error_of([&] { engine.logits(g.ids); });
  EXPECT_NE(message.find("`context`"), std::string::npos) << message;
  EXPECT_EQ(message.find("--"), std::string::npos) << message;
}

}  // namespace
