// Models: blueprint, weights, tokenizer and chat template, from a Hugging Face folder, a GGUF file,
// the hub, or a blueprint with random weights.
//
//   const auto model = ashlar::Model::load("SmolLM2-135M-Instruct");
//   model.chat_ids({.messages = {{"user", "Hi"}}});
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/blueprint.h"
#include "ashlar/tokens.h"

namespace ashlar {

struct LoadOptions {
  std::optional<uint64_t> random;  // a seed: random weights of the right shapes and scale
  std::string weights;             // of random weights: a format or mix (default f32)
  std::string adapter;             // folder of a LoRA adapter that is added to the weights
  std::function<void(int64_t done, int64_t total)> progress;  // bytes of weights read or made
  /// Bytes of a file that comes from the hub, for models named org/name.
  std::function<void(const std::string& file, int64_t done, int64_t total)> fetching;
  bool need_weights = true;  // false: blueprint and text only (tokenize, render, count)
};

struct GradientOptions {
  int threads = 0;                // 0: one per core
  std::string kernels;            // instruction set; empty: the best of this CPU
  bool recompute_layers = false;  // less memory for activations, a third more time
  bool float32_sums = false;      // twice as fast, less exact
  std::function<void(int64_t done, int64_t total)> progress;  // of the step's operations
};

/// Where one parameter came from.
struct WeightSource {
  std::string parameter;  // "layers.0.attn.q"
  std::string tensors;    // "model.layers.0.self_attn.q_proj.weight (model.safetensors)"
};

}  // namespace ashlar

namespace ASHLAR_V1 {

/// float32 numbers with their sizes, slowest axis first; copies share the numbers. `values` stay
/// as long as a copy of `owner` does.
struct FloatArray {
  std::vector<int64_t> sizes;
  std::span<const float> values;
  std::shared_ptr<const void> owner;
};

/// One turn of a conversation.
struct Message {
  std::string role;  // "user", "assistant", "system", "tool", ...
  std::string content;
};

/// A conversation to be continued by the model. Texts of JSON: for what plain messages cannot say.
struct Chat {
  std::vector<Message> messages;
  std::string messages_json;  // instead of `messages`: a list of {"role", "content", ...}
  std::string system;         // a system message before them; empty: none
  std::string tools_json;     // a list of tools; empty: none
  std::string documents_json;
  std::vector<std::string> variables;  // NAME=VALUE of the template; VALUE is JSON, or else text
  bool add_generation_prompt = true;   // open the assistant's turn
  /// Go on with this field of the last message ("content") instead of opening a new turn.
  std::optional<std::string> continued_field;
  std::string chat_template;   // Jinja source to use instead of the model's own; empty: its own
  std::optional<int64_t> now;  // seconds since 1970 for dates in templates; absent: the clock
};

/// The loss of a text and its gradient for every parameter.
struct Gradients {
  double loss = 0;  // mean next-token cross-entropy, in nats
  /// One array per tensor of the model's files, under its name there and in its layout.
  std::map<std::string, FloatArray> tensors;
};

class Decoder;

/// Immutable, cheap to copy; any number of threads may use one at a time. Weights of files are
/// mapped, so loading costs little and copies share them.
class Model {
 public:
  /// A Hugging Face folder, a .gguf file, org/name of the hub, or with LoadOptions::random a
  /// blueprint's name or file. Throws Error.
  static Model load(const std::string& source, const LoadOptions& options = {});
  /// Only tokenizer and chat template: a folder that holds no more than those will do. blueprint()
  /// throws then.
  static Model load_text(const std::string& source);

  const std::string& source() const;   // as it was given to load()
  const Blueprint& blueprint() const;  // throws Error(invalid) after load_text()
  bool has_weights() const;
  std::vector<WeightSource> weight_sources() const;  // empty for random weights
  const std::vector<std::string>& notices() const;   // tensors left aside, ...
  std::vector<std::string> parameters() const;       // names: "layers.0.attn.q"
  /// A parameter as float32, in the graph's axes. Throws Error(invalid) for an unknown name.
  FloatArray parameter(std::string_view name) const;

  // Text. Functions throw Error(unsupported) where the model has no tokenizer or template.
  bool has_tokenizer() const;
  int64_t tokens() const;  // of the tokenizer: its highest id + 1
  std::vector<TokenId> tokenize(std::string_view text, const EncodeOptions& options = {}) const;
  /// Throws Error(invalid) for an id that the tokenizer does not have.
  std::string detokenize(std::span<const TokenId> ids, bool skip_special = false) const;
  /// The token as the vocabulary spells it: "Ġthe", "<0x0A>". Empty: no such id.
  std::string piece(TokenId id) const;
  std::optional<TokenId> token(std::string_view piece) const;  // its id
  const std::vector<TokenId>& end_tokens() const;              // that stop a generation
  bool has_chat_template() const;
  /// The text that the chat template makes of a conversation. Throws Error.
  std::string render(const Chat& chat) const;
  /// The ids of that text: control words in messages stay text.
  std::vector<TokenId> chat_ids(const Chat& chat) const;
  /// What the publisher recommends, by the names of generation_config.json: temperature, top_k,
  /// top_p, min_p, repetition_penalty, and do_sample (1 or 0). Only what a file says.
  const std::map<std::string, double>& sampling() const;

  /// `ids` is one sequence of at least two tokens. Takes weights of any format as float32. Throws
  /// Error.
  Gradients gradients(std::span<const TokenId> ids, const GradientOptions& options = {}) const;

  struct Data;  // the library's own
  const std::shared_ptr<const Data>& data() const { return data_; }

 private:
  explicit Model(std::shared_ptr<const Data> data);
  std::shared_ptr<const Data> data_;
};

/// Decodes one token at a time; gives out whole characters only. Not safe to call from two threads
/// at once.
class Decoder {
 public:
  explicit Decoder(const Model& model, bool skip_special = false);
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  std::string push(TokenId id);  // the text that is certain after it; may be empty
  std::string finish();          // what was held back

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ASHLAR_V1
