// Files as people have them: weights of other quantisers, adapters, caches, Mistral's own format,
// doubles; what is not to be read is named.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/json.h"
#include "formats/gguf.h"
#include "model/source.h"
#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;
using Tensors = std::map<std::string, Tensor>;

constexpr const char* kPlain = "llama_31_scaling";

Error error_with(const Json& quantisation, const char* key = "quantization_config") {
  const TemporaryFolder folder;
  write_changed(kPlain, folder.path(), {.config = [&](Json& c) { c[key] = quantisation; }});
  EXPECT_NO_THROW(load_model(folder.path().string(), {.need_weights = false}));
  return error_of([&] { load_model(folder.path().string()); });
}

TEST(QuantisedFolders, AreNamedByTheirMethod) {
  for (const auto& [method, name] :
       {std::pair{"gptq", "GPTQ"}, std::pair{"awq", "AWQ"}, std::pair{"AWQ", "AWQ"},
        std::pair{"bitsandbytes", "bitsandbytes"}, std::pair{"hqq", "HQQ"},
        std::pair{"exl2", "EXL2"}, std::pair{"torchao", "torchao"}, std::pair{"aqlm", "AQLM"}}) {
    const Error e = error_with({{"quant_method", method}, {"bits", 4}});
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    expect_contains(e.what(), fmt::format("quantised by {} (", name));
    expect_contains(e.what(), "GGUF");
  }
  const Json mlx = {{"group_size", 64}, {"bits", 4}};
  expect_contains(error_with(mlx, "quantization").what(), "quantised by MLX");
  expect_contains(error_with(mlx).what(), "quantised by MLX");
  expect_contains(error_with({{"load_in_4bit", true}}).what(), "bitsandbytes");
  expect_contains(
      error_with({{"quant_method", "compressed-tensors"}, {"format", "nvfp4-pack-quantized"}})
          .what(),
      "compressed-tensors as nvfp4-pack-quantized");
}

TEST(QuantisedFolders, AreNamedByTheirTensors) {
  for (const auto& [end, name] :
       {std::pair{"qweight", "GPTQ or AWQ"}, std::pair{"SCB", "bitsandbytes"},
        std::pair{"q_weight", "EXL2"}, std::pair{"W_q", "HQQ"}}) {
    const TemporaryFolder folder;
    write_changed(kPlain, folder.path(), {.tensors = [end = end](Tensors& t) {
                    t[fmt::format("model.layers.0.self_attn.q_proj.{}", end)] = filled({4, 4}, 1);
                  }});
    expect_contains(error_of([&] { load_model(folder.path().string()); }).what(), name);
  }
}

TEST(UnreadTensors, OfALayerAreRefused) {
  for (const char* name : {"model.layers.0.self_attn.q_proj.bias", "model.layers.1.extra.weight"}) {
    const TemporaryFolder folder;
    write_changed(kPlain, folder.path(),
                  {.tensors = [&](Tensors& t) { t[name] = filled({32}, 1); }});
    const Error e = error_of([&] { load_model(folder.path().string()); });
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    expect_contains(e.what(), name);
  }
}

TEST(Placeholders, StandForWeightsAndGguf) {
  const TemporaryFolder folder;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1234567\n";
  fs::copy(golden(kPlain) / "config.json", folder.path() / "config.json");
  write_file(folder.path() / "model.safetensors", pointer);
  write_file(folder.path() / "model.gguf", pointer);
  const std::string where = folder.path().string();
  expect_contains(error_of([&] { load_model(where); }).what(),
                  "model.safetensors: is a Git LFS pointer");
  expect_contains(error_of([&] { load_model(where + "/model.gguf"); }).what(), "1,234,567 bytes");
  write_file(folder.path() / "model.gguf", "<!DOCTYPE html>");
  expect_contains(error_of([&] { load_model(where + "/model.gguf"); }).what(), "HTML");
  write_file(folder.path() / "config.json", pointer);
  expect_contains(error_of([&] { load_model(where); }).what(), "config.json: is a Git LFS");
}

TEST(CacheFolders, TheSnapshotIsFollowed) {
  const TemporaryFolder folder;
  const fs::path repo = folder.path() / "models--org--name";
  for (const char* commit : {"aaaa", "bbbb"}) {
    fs::create_directories(repo / "snapshots" / commit);
    for (const auto& file : fs::directory_iterator(golden(kPlain)))
      fs::copy(file.path(), repo / "snapshots" / commit / file.path().filename());
  }
  write_changed(kPlain, repo / "snapshots" / "bbbb",
                {.config = [](Json& c) { c["max_position_embeddings"] = 777; }});
  fs::create_directories(repo / "refs");
  write_file(repo / "refs" / "main", "bbbb\n");
  EXPECT_EQ(load_model(repo.string()).blueprint.context, 777);
  write_file(repo / "refs" / "main", "aaaa");
  EXPECT_NE(load_model(repo.string()).blueprint.context, 777);
  write_file(repo / "refs" / "main", "../../elsewhere");
  EXPECT_EQ(load_model(repo.string()).weights.size(), 21u);
}

/// A golden checkpoint under the names of Mistral's own files.
void write_consolidated(const std::string& name, const fs::path& folder) {
  const Json config = read_json(golden(name) / "config.json");
  const auto heads = config["num_attention_heads"].get<int64_t>(),
             kv_heads = config["num_key_value_heads"].get<int64_t>(),
             dim = config["head_dim"].get<int64_t>();
  write_file(folder / "params.json", Json({{"dim", config["hidden_size"]},
                                           {"n_layers", config["num_hidden_layers"]},
                                           {"head_dim", dim},
                                           {"hidden_dim", config["intermediate_size"]},
                                           {"n_heads", heads},
                                           {"n_kv_heads", kv_heads},
                                           {"norm_eps", config["rms_norm_eps"]},
                                           {"vocab_size", config["vocab_size"]},
                                           {"rope_theta", config["rope_parameters"]["rope_theta"]}})
                                         .dump());
  const auto files = SafetensorsFolder::open(golden(name));
  SafetensorsWriter writer;
  for (const auto& [full, entry] : files->entries()) {
    Tensor t = files->tensor(full);
    std::string own = full.starts_with("model.") ? full.substr(6) : full;
    for (const auto& [hf, mistral] :
         {std::pair{"embed_tokens", "tok_embeddings"}, std::pair{"lm_head", "output"},
          std::pair{"self_attn.q_proj", "attention.wq"},
          std::pair{"self_attn.k_proj", "attention.wk"},
          std::pair{"self_attn.v_proj", "attention.wv"},
          std::pair{"self_attn.o_proj", "attention.wo"},
          std::pair{"mlp.gate_proj", "feed_forward.w1"},
          std::pair{"mlp.up_proj", "feed_forward.w3"},
          std::pair{"mlp.down_proj", "feed_forward.w2"},
          std::pair{"post_attention_layernorm", "ffn_norm"},
          std::pair{"input_layernorm", "attention_norm"}}) {
      if (const size_t at = own.find(hf); at != std::string::npos)
        own.replace(at, std::strlen(hf), mistral);
    }
    const bool q = own.ends_with("wq.weight"), k = own.ends_with("wk.weight");
    if (q || k) {  // half by half in the one, pair by pair in the other
      std::byte* data = nullptr;
      Tensor turned = make_tensor(t.format, t.sizes, &data);
      const int64_t bytes = row_bytes(t.format, t.cols());
      for (int64_t h = 0; h < (q ? heads : kv_heads); ++h) {
        for (int64_t j = 0; j < dim; ++j) {
          const int64_t to = j < dim / 2 ? 2 * j : 2 * (j - dim / 2) + 1;
          std::memcpy(data + (h * dim + to) * bytes, t.row(h * dim + j),
                      static_cast<size_t>(bytes));
        }
      }
      t = turned;
    }
    writer.add_tensor(own, t);
  }
  writer.write_single(folder / "consolidated.safetensors");
}

TEST(Consolidated, MistralsOwnFilesAreTheSameModel) {
  const TemporaryFolder folder;
  write_consolidated("mistral_no_window", folder.path());
  const Model plain = load_model(golden("mistral_no_window").string());
  const Model own = load_model(folder.path().string());
  EXPECT_EQ(differing(plain, own), std::vector<std::string>());
  EXPECT_EQ(own.blueprint.blocks, plain.blueprint.blocks);
  Json params = read_json(folder.path() / "params.json");
  params["moe"] = {{"num_experts", 8}};
  write_file(folder.path() / "params.json", params.dump());
  expect_contains(error_of([&] { load_model(folder.path().string()); }).what(), "params.json: moe");
}

TEST(Doubles, AreReadAsFloats) {
  const TemporaryFolder folder;
  fs::copy(golden(kPlain) / "config.json", folder.path() / "config.json");
  const auto files = SafetensorsFolder::open(golden(kPlain));
  for (const bool too_large : {false, true}) {
    Json header = Json::object();
    std::string data;
    for (const auto& [name, entry] : files->entries()) {
      const std::vector<float> values = to_f32(files->tensor(name));
      const size_t begin = data.size();
      for (const float v : values) {
        const double wide = too_large && data.empty() ? 1e300 : static_cast<double>(v);
        data.append(reinterpret_cast<const char*>(&wide), sizeof(wide));
      }
      header[name] = {
          {"dtype", "F64"}, {"shape", entry.sizes}, {"data_offsets", {begin, data.size()}}};
    }
    const std::string text = header.dump();
    const uint64_t length = text.size();
    std::ofstream(folder.path() / "model.safetensors", std::ios::binary)
        << std::string(reinterpret_cast<const char*>(&length), 8) << text << data;
    if (too_large) {
      const Error e = error_of([&] { load_model(folder.path().string()); });
      expect_contains(e.what(), "beyond the range of float32");
      expect_contains(e.what(), files->entries().begin()->first);
    } else {
      EXPECT_EQ(differing(load_model(golden(kPlain).string()), load_model(folder.path().string())),
                std::vector<std::string>());
    }
  }
}

TEST(OtherGguf, ProjectorsAndAdaptersAreNamed) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "x.gguf";
  for (const auto& [type, says] :
       {std::pair{"mmproj", "projector"}, std::pair{"adapter", "adapter"},
        std::pair{"imatrix", "importance matrix"}}) {
    GgufWriter writer;
    writer.set("general.architecture", "llama");
    writer.set("general.type", type);
    writer.write(file);
    const Error e = error_of([&] { load_model(file.string()); });
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    expect_contains(e.what(), says);
  }
}

// ---- Adapters: the logits that PEFT gives (tools/golden_adapter.py).

const fs::path kAdapters = fs::path(source_dir()) / "tests/golden/adapters";

class Adapters : public ::testing::TestWithParam<std::string> {};

TEST_P(Adapters, AsPeft) {
  const fs::path adapter = kAdapters / GetParam();
  const std::string base =
      read_json(adapter / "adapter_config.json")["base_model_name_or_path"].get<std::string>();
  const Model model = load_model(golden(base).string(), {.adapter = adapter.string()});
  ASSERT_EQ(model.notices.size(), 1u);
  expect_contains(model.notices[0], "is applied");
  const std::vector<TokenId> ids{1, 5, 9, 20, 33, 47};
  Engine engine(model.graph, model.weights, {.context = 8});
  const ashlar::Run run{*engine.open(), ids, ashlar::Run::Logits::all};
  const auto logits = engine.step({&run, 1});
  const std::vector<float> expected =
      to_f32(SafetensorsFolder::open(adapter / "expected.safetensors")->tensor("logits"));
  ASSERT_EQ(logits.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(logits[i], expected[i], 2e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(Golden, Adapters,
                         ::testing::Values("plain", "root_and_head", "embedding", "conv1d"),
                         [](const auto& c) { return c.param; });

TEST(AdaptersAlone, AreNamed) {
  const Error e = error_of([&] { load_model((kAdapters / "plain").string()); });
  expect_contains(e.what(), "is an adapter (LORA) of llama_31_scaling");
  const TemporaryFolder folder;
  for (const fs::path& from : {golden(kPlain), kAdapters / "plain"}) {
    for (const auto& file : fs::directory_iterator(from)) {
      if (file.path().filename() != "expected.safetensors")
        fs::copy(file.path(), folder.path() / file.path().filename());
    }
  }
  const Model beside = load_model(folder.path().string());
  ASSERT_EQ(beside.notices.size(), 1u);
  expect_contains(beside.notices[0], "not applied");
  const auto refused = [&](const std::string& key, const Json& value) {
    Json config = read_json(kAdapters / "plain" / "adapter_config.json");
    config[key] = value;
    write_file(folder.path() / "adapter_config.json", config.dump());
    return std::string(error_of([&] {
                         load_model(golden(kPlain).string(), {.adapter = folder.path().string()});
                       }).what());
  };
  expect_contains(refused("use_dora", true), "use_dora");
  expect_contains(refused("peft_type", "IA3"), "IA3");
  expect_contains(refused("lora_alpha", "many"), "lora_alpha");
  expect_contains(error_of([&] {
                    load_model(golden("qwen3_tied").string(),
                               {.adapter = (kAdapters / "conv1d").string()});
                  }).what(),
                  "none of the base model's");
}

// A model that comes with the program is found by its name alone, in $ASHLAR_MODELS first.
TEST(Source, FindsModelsThatComeWithTheProgram) {
  const TemporaryFolder folder;
  write_file(folder.path() / "tiny.gguf", "GGUF");
  ::setenv("ASHLAR_MODELS", folder.path().c_str(), 1);
  const ModelSource found = find_source("tiny");
  const ModelSource released = find_source("qwen3-0.6b"), other = find_source("small");
  ::unsetenv("ASHLAR_MODELS");
  EXPECT_EQ(found.kind, ModelSource::Kind::gguf);
  EXPECT_EQ(found.path, folder.path() / "tiny.gguf");
  EXPECT_EQ(released.kind, ModelSource::Kind::blueprint);
  EXPECT_EQ(other.kind, ModelSource::Kind::blueprint);
}

}  // namespace
}  // namespace ashlar
