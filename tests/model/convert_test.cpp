// What conversion must not lose or hide: end tokens, values beyond a format's range, quantising
// twice.
#include <fmt/format.h>

#include <limits>

#include "formats/gguf.h"
#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;
using Tensors = std::map<std::string, Tensor>;

const fs::path kTokenizers = fs::path(source_dir()) / "tests/text/tokenizers";
const std::vector<std::string> kPieces{"<|endoftext|>", "<|user|>", "<|observation|>", "<|x|>",
                                       "<|y|>"};

/// Two tiny layers, a tokenizer with five control tokens, and the ends that are named.
void write_model(const fs::path& folder, const Json& ends, const Json& eos = "<|endoftext|>") {
  fs::create_directories(folder);
  Json tokenizer = read_json(kTokenizers / "qwen2.json").at("tokenizer");
  for (const std::string& piece : kPieces)
    tokenizer["added_tokens"].push_back({{"id", 400 + &piece - kPieces.data()},
                                         {"content", piece},
                                         {"special", true},
                                         {"normalized", false},
                                         {"single_word", false},
                                         {"lstrip", false},
                                         {"rstrip", false}});
  write_file(folder / "tokenizer.json", tokenizer.dump());
  Json text = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  if (!eos.is_null()) text["eos_token"] = eos;
  write_file(folder / "tokenizer_config.json", text.dump());
  Json config = read_json(golden("qwen3_tied") / "config.json");
  config["vocab_size"] = 408;
  config.erase("eos_token_id");
  config.erase("bos_token_id");
  write_file(folder / "config.json", config.dump());
  if (!ends.is_null())
    write_file(folder / "generation_config.json", Json({{"eos_token_id", ends}}).dump());
}

std::vector<TokenId> sorted(std::vector<TokenId> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

struct Ends {
  Json named;
  std::vector<TokenId> all;
  Json eos = "<|endoftext|>";
};

TEST(EndTokens, SurviveEveryDirection) {
  const Ends cases[] = {
      {Json::array({400, 401, 402}), {400, 401, 402}},  // GLM-4.5's
      {Json::array({401, 402, 400}), {400, 401, 402}},
      {Json::array({400, 402}), {400, 402}},
      {401, {400, 401}},
      {Json::array({400, 401, 402, 403, 404}), {400, 401, 402, 403, 404}},
      {Json::array({403}), {403}, nullptr},
      {400, {400}},
  };
  for (const Ends& c : cases) {
    SCOPED_TRACE(c.named.dump());
    const TemporaryFolder folder;
    write_model(folder.path() / "model", c.named, c.eos);
    const Model model = load_model((folder.path() / "model").string(), {.random = 1});
    EXPECT_EQ(sorted(model.end_tokens), c.all);
    convert_model(model, folder.path() / "a.gguf");
    const Model gguf = load_model((folder.path() / "a.gguf").string());
    EXPECT_EQ(sorted(gguf.end_tokens), c.all);
    convert_model(gguf, folder.path() / "back");
    const Model back = load_model((folder.path() / "back").string());
    EXPECT_EQ(sorted(back.end_tokens), c.all);
    convert_model(gguf, folder.path() / "b.gguf");
    EXPECT_EQ(sorted(load_model((folder.path() / "b.gguf").string()).end_tokens), c.all);
    convert_model(model, folder.path() / "copy");
    EXPECT_EQ(sorted(load_model((folder.path() / "copy").string()).end_tokens), c.all);
  }
}

TEST(EndTokens, StandUnderTheKeysThatOthersRead) {
  const TemporaryFolder folder;
  write_model(folder.path() / "model", Json::array({400, 401, 402}));
  convert_model(load_model((folder.path() / "model").string(), {.random = 1}),
                folder.path() / "a.gguf");
  const auto file = GgufFile::open(folder.path() / "a.gguf");
  EXPECT_EQ(file->find("tokenizer.ggml.eos_token_id")->as_int(), 400);
  EXPECT_EQ(file->find("tokenizer.ggml.eot_token_id")->as_int(), 401);
  EXPECT_EQ(file->find("tokenizer.ggml.eom_token_id")->as_int(), 402);
}

TEST(EndTokens, ThatAreNoneAreRefused) {
  for (const Json& bad :
       {Json(-1), Json("7"), Json(1.5), Json::array({400, "x"}), Json::object()}) {
    const TemporaryFolder folder;
    write_model(folder.path(), bad);
    const Error e = error_of([&] { load_text(folder.path().string()); });
    EXPECT_EQ(e.kind(), ErrorKind::format);
    expect_contains(e.what(), "generation_config.json: eos_token_id: expected token ids");
  }
}

// ---- Ranges

const std::string kDown = "model.layers.0.mlp.down_proj.weight";

/// The golden model of this kind with one value of a matrix changed.
void write_with(const fs::path& folder, float value) {
  write_changed("llama_31_scaling", folder,
                {.tensors =
                     [&](Tensors& t) {
                       Tensor& old = t.at(kDown);
                       std::byte* data = nullptr;
                       Tensor copy = make_tensor(Format::f32, {32, 64}, &data);
                       auto* values = reinterpret_cast<float*>(data);
                       for (int64_t i = 0; i < copy.elements(); ++i) values[i] = 0.01f;
                       values[37] = value;
                       old = copy;
                       for (const char* other : {"gate_proj", "up_proj"}) {
                         for (const char* layer : {"0", "1"})
                           t[fmt::format("model.layers.{}.mlp.{}.weight", layer, other)] =
                               filled({64, 32}, 0.01f);
                       }
                       t["model.layers.1.mlp.down_proj.weight"] = filled({32, 64}, 0.01f);
                     },
                 .shard_bytes = int64_t{1} << 40});
  Json config = read_json(folder / "config.json");
  config["intermediate_size"] = 64;
  write_file(folder / "config.json", config.dump());
}

struct Limit {
  const char* format;
  double most;  // the largest value that fits
};

class Ranges : public ::testing::TestWithParam<Limit> {};

TEST_P(Ranges, AValueBeyondTheFormatIsRefusedByItsTensor) {
  const auto [format, most] = GetParam();
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out.gguf";
  write_with(folder.path() / "fits", static_cast<float>(most * 0.999));
  const Model fits = load_model((folder.path() / "fits").string());
  convert_model(fits, out, {.weights = format});
  for (const auto& [name, tensor] : load_model(out.string()).weights) {
    for (const float v : to_f32(tensor)) ASSERT_TRUE(std::isfinite(v)) << name;
  }
  fs::remove(out);
  write_with(folder.path() / "beyond", -static_cast<float>(most * 1.005));
  const Model beyond = load_model((folder.path() / "beyond").string());
  const Error e =
      error_of([&, format = format] { convert_model(beyond, out, {.weights = format}); });
  EXPECT_EQ(e.kind(), ErrorKind::unsupported);
  expect_contains(e.what(), "blk.0.ffn_down.weight");
  expect_contains(e.what(), format);
  EXPECT_FALSE(fs::exists(out));
}

constexpr double kF16 = 65504;
INSTANTIATE_TEST_SUITE_P(Formats, Ranges,
                         ::testing::Values(Limit{"f16", kF16}, Limit{"q4_0", 8 * kF16},
                                           Limit{"q5_0", 16 * kF16}, Limit{"q8_0", 127 * kF16},
                                           Limit{"bf16", 3.38e38}),
                         [](const auto& c) { return std::string(c.param.format); });

TEST(RangesOf, WhatIsInfiniteAlreadyIsSaidOrRefused) {
  const TemporaryFolder folder;
  write_with(folder.path() / "model", std::numeric_limits<float>::quiet_NaN());
  const Model model = load_model((folder.path() / "model").string());
  for (const char* out : {"a.gguf", "folder"}) {
    std::vector<std::string> notes;
    convert_model(model, folder.path() / out,
                  {.weights = "f32", .notice = [&](const std::string& n) { notes.push_back(n); }});
    ASSERT_EQ(notes.size(), 1u);
    expect_contains(notes[0], "down");
    expect_contains(notes[0], "1 values are NaN or infinite");
  }
  const Error e =
      error_of([&] { convert_model(model, folder.path() / "b.gguf", {.weights = "q8_0"}); });
  expect_contains(e.what(), "blk.0.ffn_down.weight");
}

TEST(Requantising, IsNoted) {
  const TemporaryFolder folder;
  write_with(folder.path() / "model", 0.5f);
  convert_model(load_model((folder.path() / "model").string()), folder.path() / "a.gguf",
                {.weights = "q8_0"});
  std::vector<std::string> notes;
  const Model quantised = load_model((folder.path() / "a.gguf").string());
  const auto notice = [&](const std::string& n) { notes.push_back(n); };
  convert_model(quantised, folder.path() / "b.gguf", {.weights = "q4_0", .notice = notice});
  ASSERT_EQ(notes.size(), 1u);
  expect_contains(notes[0], "quantised already");
  notes.clear();
  convert_model(quantised, folder.path() / "c.gguf", {.weights = "f32", .notice = notice});
  convert_model(quantised, folder.path() / "d.gguf", {.notice = notice});
  EXPECT_EQ(notes, std::vector<std::string>());
}

TEST(Adding, FlagsThatGgufHasNoWordsForAreNoted) {
  const TemporaryFolder folder;
  write_model(folder.path() / "model", 400);
  Json tokenizer = read_json(folder.path() / "model" / "tokenizer.json");
  tokenizer["added_tokens"].back()["lstrip"] = true;
  write_file(folder.path() / "model" / "tokenizer.json", tokenizer.dump());
  std::vector<std::string> notes;
  convert_model(load_model((folder.path() / "model").string(), {.random = 1}),
                folder.path() / "a.gguf",
                {.notice = [&](const std::string& n) { notes.push_back(n); }});
  ASSERT_EQ(notes.size(), 1u);
  expect_contains(notes[0], "<|y|>");
}

}  // namespace
}  // namespace ashlar
