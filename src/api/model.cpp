// The public model: text, parameters and gradients of the library's.
#include "ashlar/model.h"

#include "api/data.h"
#include "base/error.h"
#include "jinja/exact_json.h"
#include "runs/gradients.h"

namespace ashlar::v1 {
namespace {

FloatArray array_of(const Tensor& tensor) {
  if (tensor.format == Format::f32)
    return {tensor.sizes,
            {reinterpret_cast<const float*>(tensor.data), static_cast<size_t>(tensor.elements())},
            tensor.owner};
  auto values = std::make_shared<const std::vector<float>>(to_f32(tensor));
  return {tensor.sizes, *values, values};
}

ChatRequest request_of(const Chat& chat) {
  ChatRequest request;
  if (!chat.messages_json.empty()) {
    if (!chat.messages.empty())
      fail(ErrorKind::invalid, "expected `messages` or `messages_json`, found both");
    request.messages = parse_exact_json(chat.messages_json, "messages_json");
  } else {
    for (const Message& m : chat.messages)
      request.messages.push_back({{"role", m.role}, {"content", m.content}});
  }
  request.system = chat.system;
  if (!chat.tools_json.empty()) request.tools = parse_exact_json(chat.tools_json, "tools_json");
  if (!chat.documents_json.empty())
    request.documents = parse_exact_json(chat.documents_json, "documents_json");
  request.add_generation_prompt = chat.add_generation_prompt;
  request.continued_field = chat.continued_field;
  request.now = chat.now;
  for (const std::string& item : chat.variables) request.set_variable(item);
  return request;
}

/// Calls `use` with the template that the chat is for: its own, or the model's.
template <class Use>
auto with_prompt(const Model::Data& data, const Chat& chat, Use use) {
  if (!chat.chat_template.empty())
    return use(ChatPrompt(data.model, chat.chat_template, "chat_template"));
  if (!data.prompt)
    fail(ErrorKind::unsupported, "{}: has no chat template (a base model?)", data.model.source);
  return use(*data.prompt);
}

std::shared_ptr<const Model::Data> finished(std::shared_ptr<Model::Data> data) {
  if (has_chat_template(data->model)) data->prompt.emplace(data->model);
  return data;
}

}  // namespace

Model::Model(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

Model Model::load(const std::string& source, const LoadOptions& options) {
  auto data = std::make_shared<Data>();
  data->model = load_model(source, options);
  data->blueprint = handle_of(data->model.blueprint);
  return Model(finished(std::move(data)));
}

Model Model::load_text(const std::string& source) {
  auto data = std::make_shared<Data>();
  static_cast<TextModel&>(data->model) = ashlar::load_text(source);
  return Model(finished(std::move(data)));
}

const std::string& Model::source() const { return data_->model.source; }

const Blueprint& Model::blueprint() const {
  if (!data_->blueprint)
    fail(ErrorKind::invalid, "{}: was loaded for its text alone and has no blueprint", source());
  return *data_->blueprint;
}

bool Model::has_weights() const { return !data_->model.weights.empty(); }
std::vector<WeightSource> Model::weight_sources() const { return data_->model.sources; }
const std::vector<std::string>& Model::notices() const { return data_->model.notices; }

std::vector<std::string> Model::parameters() const {
  std::vector<std::string> names;
  if (!data_->blueprint) return names;
  for (const Param& p : data_->model.graph.params()) names.push_back(p.name);
  return names;
}

FloatArray Model::parameter(std::string_view name) const {
  const Param* param = data_->blueprint ? data_->model.graph.param(std::string(name)) : nullptr;
  if (param == nullptr) fail(ErrorKind::invalid, "{}: has no parameter \"{}\"", source(), name);
  const auto found = data_->model.weights.find(param->name);
  if (found == data_->model.weights.end())
    fail(ErrorKind::invalid, "{}: was loaded without weights", source());
  return array_of(found->second);
}

bool Model::has_tokenizer() const { return data_->model.tokenizer != nullptr; }
int64_t Model::tokens() const { return tokenizer_of(data_->model).size(); }

std::vector<TokenId> Model::tokenize(std::string_view text, const EncodeOptions& options) const {
  return tokenizer_of(data_->model).encode(text, options);
}

std::string Model::detokenize(std::span<const TokenId> ids, bool skip_special) const {
  return decoded(tokenizer_of(data_->model), ids, skip_special);
}

std::string Model::piece(TokenId id) const { return tokenizer_of(data_->model).piece(id); }
std::optional<TokenId> Model::token(std::string_view piece) const {
  return tokenizer_of(data_->model).id_of(piece);
}
const std::vector<TokenId>& Model::end_tokens() const { return data_->model.end_tokens; }
bool Model::has_chat_template() const { return data_->prompt.has_value(); }

std::string Model::render(const Chat& chat) const {
  return with_prompt(*data_, chat, [&](const ChatPrompt& p) { return p.text(request_of(chat)); });
}

std::vector<TokenId> Model::chat_ids(const Chat& chat) const {
  return with_prompt(*data_, chat, [&](const ChatPrompt& p) { return p.ids(request_of(chat)); });
}

const std::map<std::string, double>& Model::sampling() const { return data_->model.sampling; }

Gradients Model::gradients(std::span<const TokenId> ids, const GradientOptions& options) const {
  if (!has_weights()) fail(ErrorKind::invalid, "{}: was loaded without weights", source());
  const ashlar::Gradients found = ashlar::gradients(data_->model, ids, options);
  Gradients result{.loss = found.loss};
  for (const auto& [name, tensor] : found.tensors) result.tensors.emplace(name, array_of(tensor));
  return result;
}

struct Decoder::Impl {
  Model model;  // keeps the tokenizer
  StreamDecoder decoder;
};

Decoder::Decoder(const Model& model, bool skip_special)
    : impl_(new Impl{model, StreamDecoder(tokenizer_of(model.data()->model), skip_special)}) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
std::string Decoder::push(TokenId id) { return impl_->decoder.push(id); }
std::string Decoder::finish() { return impl_->decoder.finish(); }

}  // namespace ashlar::v1
