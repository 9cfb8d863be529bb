// adapter_config.json, the names of adapter tensors, and W + scale B A.
#include "model/adapter.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"
#include "base/thread_pool.h"
#include "model/assemble.h"

namespace ashlar {

namespace fs = std::filesystem;

/// What of adapter_config.json decides the numbers.
struct AdapterConfig {
  double alpha = 8;
  bool root = false;                     // rsLoRA: alpha / sqrt(r)
  bool transposed = false;               // fan_in_fan_out: the layer keeps its matrix transposed
  std::map<std::string, double> alphas;  // by the end of a module's name
};

namespace {

AdapterConfig read_adapter_config(const fs::path& file) {
  const Json json = read_regular_json(file);
  const std::string where = file.string();
  if (!json.is_object()) fail(ErrorKind::format, "{}: expected an object", where);
  const auto number = [&](const Json& value, const std::string& key) {
    if (!value.is_number() || !std::isfinite(value.get<double>()))
      fail(ErrorKind::format, "{}: {}: expected a number, found {}", where, key,
           value.dump().substr(0, 80));
    return value.get<double>();
  };
  const auto flag = [&](const char* key) {
    const Json& value = value_at(json, key);
    return value.is_boolean() && value.get<bool>();
  };
  const std::string type = json.value("peft_type", Json("LORA")).dump();
  if (type != "\"LORA\"")
    fail(ErrorKind::unsupported, "{}: peft_type: expected LORA, found {}", where, type);
  for (const char* key : {"use_dora", "lora_bias", "use_qalora", "use_bdlora"}) {
    if (flag(key)) fail(ErrorKind::unsupported, "{}: {} is not read", where, key);
  }
  for (const char* key : {"target_parameters", "trainable_token_indices", "megatron_config"}) {
    if (!value_at(json, key).empty())
      fail(ErrorKind::unsupported, "{}: {} is not read", where, key);
  }
  AdapterConfig config;
  if (const auto it = json.find("lora_alpha"); it != json.end())
    config.alpha = number(*it, "lora_alpha");
  config.root = flag("use_rslora");
  config.transposed = flag("fan_in_fan_out");
  if (const Json& patterns = value_at(json, "alpha_pattern"); patterns.is_object()) {
    for (const auto& [key, value] : patterns.items())
      config.alphas[key] = number(value, "alpha_pattern." + key);
  }
  return config;
}

/// B [out, r] times A [r, in], or its transpose, times `scale`, added to `to` [rows, cols].
void add_product(const std::vector<float>& a, const std::vector<float>& b, int64_t r, double scale,
                 bool transposed, int64_t rows, int64_t cols, float* to) {
  parallel_for(rows, [&](int64_t row, int) {
    std::vector<double> sums(static_cast<size_t>(cols));
    for (int64_t k = 0; k < r; ++k) {
      const auto at = [](const std::vector<float>& m, int64_t i) {
        return static_cast<double>(m[static_cast<size_t>(i)]);
      };
      if (transposed) {
        const double left = at(a, k * rows + row);
        for (int64_t c = 0; c < cols; ++c) sums[static_cast<size_t>(c)] += left * at(b, c * r + k);
      } else {
        const double left = at(b, row * r + k);
        for (int64_t c = 0; c < cols; ++c)
          sums[static_cast<size_t>(c)] += left * at(a, k * cols + c);
      }
    }
    for (int64_t c = 0; c < cols; ++c) {
      float& value = to[row * cols + c];
      value = static_cast<float>(value + scale * sums[static_cast<size_t>(c)]);
    }
  });
}

constexpr std::string_view kRoot = "base_model.model.";

}  // namespace

AdaptedCheckpoint::AdaptedCheckpoint(const Checkpoint& base, const fs::path& folder)
    : base_(base), where_(folder.string()) {
  const AdapterConfig config = read_adapter_config(folder / "adapter_config.json");
  const fs::path file = folder / "adapter_model.safetensors";
  if (!is_there(file)) {
    fail(ErrorKind::io, "{}: expected adapter_model.safetensors{}", where_,
         is_there(folder / "adapter_model.bin")
             ? "; adapter_model.bin is pickled, which is not read"
             : "");
  }
  files_ = SafetensorsFolder::open(file);
  entries_ = base.entries();
  for (const auto& [name, entry] : files_->entries()) add(name, config);
}

std::string AdaptedCheckpoint::base_name(const std::string& own) const {
  if (base_.has(own)) return own;
  // A wrapper puts something before the names, or the root of the names is left out.
  const std::string tail = own.starts_with("model.") ? own.substr(6) : own;
  std::string found;
  for (const auto& [name, entry] : base_.entries()) {
    if (name != tail && !name.ends_with("." + tail)) continue;
    if (!found.empty()) return "";
    found = name;
  }
  return found;
}

void AdaptedCheckpoint::add(const std::string& name, const AdapterConfig& config) {
  const std::string own = name.starts_with(kRoot) ? name.substr(kRoot.size()) : name;
  const auto target = [&](const std::string& tensor) {
    const std::string target_name = base_name(tensor);
    if (target_name.empty()) {
      fail(ErrorKind::format, "{}: the adapter's tensor {} belongs to none of the base model's",
           where_, name);
    }
    return target_name;
  };
  for (const auto& [first, second, embedding] :
       {std::tuple{".lora_A.weight", ".lora_B.weight", false},
        std::tuple{".lora_embedding_A", ".lora_embedding_B", true}}) {
    if (own.ends_with(second)) return;  // met with its other half
    if (!own.ends_with(first)) continue;
    const std::string module = own.substr(0, own.size() - std::string_view(first).size());
    Delta d;
    d.a = name;
    d.b = name.substr(0, name.size() - std::string_view(first).size()) + second;
    if (!files_->has(d.b)) fail(ErrorKind::format, "{}: {} is missing", where_, d.b);
    const std::string target_name = target(module + ".weight");
    const Sizes &a = files_->entries().at(d.a).sizes, &b = files_->entries().at(d.b).sizes,
                w = base_.entries().at(target_name).sizes;
    d.transposed = embedding || config.transposed;
    const bool fits = a.size() == 2 && b.size() == 2 && w.size() == 2 && a[0] == b[1] && a[0] > 0 &&
                      (d.transposed ? w == Sizes{a[1], b[0]} : w == Sizes{b[0], a[1]});
    if (!fits) {
      fail(ErrorKind::format, "{}: {} {} and {} {} do not fit {} {}", where_, d.a, to_string(a),
           d.b, to_string(b), target_name, to_string(w));
    }
    double alpha = config.alpha;
    for (const auto& [end, value] : config.alphas) {
      if (module == end || module.ends_with("." + end)) alpha = value;
    }
    const auto r = static_cast<double>(a[0]);
    d.scale = alpha / (config.root ? std::sqrt(r) : r);
    TensorEntry& entry = entries_.at(target_name);
    if (entry.refusal.empty() && !info(entry.format).exact) entry.format = Format::f32;
    deltas_[target_name] = std::move(d);
    return;
  }
  if (own.find(".lora_") != std::string::npos)
    fail(ErrorKind::unsupported, "{}: the adapter's tensor {} is not read", where_, name);
  // A layer that is saved beside its adapter.
  std::string saved = own;
  if (const size_t at = saved.find(".base_layer."); at != std::string::npos)
    saved.erase(at, std::string_view(".base_layer").size());
  const std::string target_name = target(saved);
  const TensorEntry& entry = files_->entries().at(name);
  if (entry.sizes != base_.entries().at(target_name).sizes) {
    fail(ErrorKind::format, "{}: {} {} does not fit {} {}", where_, name, to_string(entry.sizes),
         target_name, to_string(base_.entries().at(target_name).sizes));
  }
  if (!deltas_.contains(target_name)) entries_.at(target_name) = entry;
  whole_[target_name] = name;
}

Tensor AdaptedCheckpoint::tensor(const std::string& name) const {
  const auto whole = whole_.find(name);
  const Tensor before = whole == whole_.end() ? base_.tensor(name) : files_->tensor(whole->second);
  const auto it = deltas_.find(name);
  if (it == deltas_.end()) return before;
  const Delta& d = it->second;
  const Tensor a = files_->tensor(d.a);
  std::byte* data = nullptr;
  const Tensor sum = make_tensor(Format::f32, before.sizes, &data);
  auto* values = reinterpret_cast<float*>(data);
  info(before.format).to_f32(before.data, values, before.elements());
  add_product(to_f32(a), to_f32(files_->tensor(d.b)), a.rows(), d.scale, d.transposed,
              before.rows(), before.cols(), values);
  return convert(sum, entries_.at(name).format);
}

}  // namespace ashlar
