// The two directions of writing: a folder for Transformers, a file for llama.cpp.
#include "model/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "families/mix.h"
#include "families/own.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/checked_tensor.h"
#include "model/file_tensors.h"
#include "model/text_export.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

Mix mix_of(const std::string& weights) {
  const auto mix = mix_named(weights);
  if (!mix || info(mix->format).from_f32 == nullptr) {
    fail(
        ErrorKind::invalid,
        "weights {}: expected a format (f32, bf16, f16, q8_0, q4_0, ...) or a mix (q4_k_m, q5_k_m, "
        "q4_k_s, ...)",
        weights);
  }
  return *mix;
}

void note_own(const Family& family, const ConvertOptions& options) {
  if (&family != &own_family() || !options.notice) return;
  options.notice(
      "no published family can say this architecture: the blueprint itself is written (model_type "
      "ashlar), which Ashlar reads and Transformers and llama.cpp do not");
}

/// `options` must outlive the writer.
template <class Writer>
void add_tensor(Writer& writer, FileTensor tensor, Format format, const ConvertOptions& options) {
  const Sizes sizes = tensor.sizes;
  const std::string name = tensor.name;
  writer.add_tensor(name, format, sizes, [t = std::move(tensor), format, &options] {
    return checked_tensor(t, format, options.notice);
  });
}

// ---- safetensors

Format safetensors_format(const FileTensor& tensor, const std::string& weights) {
  if (!weights.empty()) return *format_named(weights);
  const Format format = tensor.format();
  return info(format).exact ? format : Format::f32;
}

std::string_view dtype_name(Format format) {
  return format == Format::bf16 ? "bfloat16" : format == Format::f16 ? "float16" : "float32";
}

/// The format of most elements; f32 where there are none.
Format most_used(std::map<Format, int64_t> elements) {
  Format most = Format::f32;
  for (const auto& [format, count] : elements) {
    if (count > elements[most]) most = format;
  }
  return most;
}

void write_safetensors(const Model& model, const fs::path& out, const ConvertOptions& options) {
  if (!options.weights.empty()) {
    const auto format = format_named(options.weights);
    if (!format || !info(*format).exact) {
      fail(ErrorKind::invalid,
           "weights {}: safetensors are written as f32, bf16 or f16 (quantised formats go to GGUF)",
           options.weights);
    }
  }
  std::error_code code;
  if (fs::exists(out, code) && !fs::is_directory(out, code)) {
    fail(ErrorKind::invalid, "{}: is a file; safetensors are written to a folder", out.string());
  }
  const Family& family = family_for(model.blueprint);
  note_own(family, options);
  Json config = write_config(model.blueprint, family);
  SafetensorsWriter writer;
  writer.on_progress(options.progress);
  std::map<Format, int64_t> elements;
  for (FileTensor& tensor : file_tensors(model, family, false, true)) {
    const Format format = safetensors_format(tensor, options.weights);
    elements[format] += element_count(tensor.sizes, tensor.name);
    add_tensor(writer, std::move(tensor), format, options);
  }
  config["dtype"] = dtype_name(most_used(elements));
  add_token_ids(model, &config);
  OutputFolder folder(out);
  writer.write(folder);
  write_text_files(model, folder);
  folder.add_text("config.json", config.dump(2) + "\n");
  folder.commit();
}

// ---- GGUF

std::vector<Format> gguf_formats(const std::vector<FileTensor>& tensors, const Blueprint& bp,
                                 const std::string& weights, uint32_t* file_type) {
  std::vector<MixTensor> named;
  named.reserve(tensors.size());
  for (const FileTensor& t : tensors) named.push_back({t.name, t.sizes});
  if (!weights.empty()) {
    const Mix mix = mix_of(weights);
    *file_type = mix_file_type(mix);
    return mix_formats(mix, named, mix_model(bp));
  }
  // As they are; vectors, norms and routers are float32 in GGUF.
  std::vector<Format> formats = mix_formats({Format::f16}, named, mix_model(bp));
  std::map<Format, int64_t> elements;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (formats[i] == Format::f32) continue;
    const Format own = tensors[i].format();
    const bool writable = own != Format::fp8_b128 && own != Format::int4_g32;
    formats[i] = writable ? own : Format::bf16;
    elements[formats[i]] += element_count(tensors[i].sizes, tensors[i].name);
  }
  *file_type = mix_file_type({most_used(elements)});
  return formats;
}

void set_key(GgufWriter* writer, const std::string& key, const Json& value) {
  const auto list = [&]<class T>(T) { writer->set(key, value.get<std::vector<T>>()); };
  if (value.is_boolean()) return writer->set(key, value.get<bool>());
  if (value.is_string()) return writer->set(key, value.get<std::string>());
  if (value.is_number_float()) return writer->set(key, static_cast<float>(value.get<double>()));
  if (value.is_number_integer())
    return writer->set(key, static_cast<uint32_t>(value.get<int64_t>()));
  ASHLAR_ASSERT(value.is_array() && !value.empty(), "families write scalars and lists");
  if (value[0].is_boolean()) return list(bool{});
  if (value[0].is_string()) return list(std::string{});
  if (value[0].is_number_integer()) return list(int32_t{});
  list(float{});
}

void write_gguf(const Model& model, const fs::path& out, const ConvertOptions& options) {
  std::error_code code;
  if (fs::is_directory(out, code)) {
    fail(ErrorKind::invalid, "{}: is a folder; GGUF is written to a file, such as {}", out.string(),
         (out / "model.gguf").string());
  }
  GgufKeys keys;
  const Family& family = family_that_writes(model.blueprint, "GGUF metadata", [&](const Family& f) {
    keys = write_gguf_keys(model.blueprint, f);
  });
  const std::string prefix = std::string(family.gguf) + ".";
  const bool with_mtp = keys.keys.contains("nextn_predict_layers") || &family == &own_family();
  note_own(family, options);
  std::vector<FileTensor> tensors = file_tensors(model, family, true, with_mtp);
  uint32_t file_type = 0;
  const std::vector<Format> formats =
      gguf_formats(tensors, model.blueprint, options.weights, &file_type);

  GgufWriter writer;
  writer.on_progress(options.progress);
  writer.set("general.architecture", std::string(family.gguf));
  writer.set("general.type", "model");
  writer.set("general.name",
             model.blueprint.name.empty() ? std::string("model") : model.blueprint.name);
  writer.set("general.file_type", file_type);
  writer.set("general.quantization_version", uint32_t{2});
  for (const auto& [key, value] : keys.keys.items()) {
    if (std::ranges::find(kGgufVectors, std::string_view(key)) != std::end(kGgufVectors)) {
      const std::vector<float> values = value.get<std::vector<float>>();
      const Sizes sizes = {static_cast<int64_t>(values.size())};
      writer.add_tensor(key + ".weight", Format::f32, sizes, [values, sizes] {
        std::byte* to = nullptr;
        Tensor t = make_tensor(Format::f32, sizes, &to);
        std::memcpy(to, values.data(), values.size() * sizeof(float));
        return t;
      });
    } else {
      set_key(&writer, prefix + key, value);
    }
  }
  set_text_keys(model, family, &writer, options.notice);
  for (size_t i = 0; i < tensors.size(); ++i)
    add_tensor(writer, std::move(tensors[i]), formats[i], options);
  if (out.has_parent_path()) fs::create_directories(out.parent_path(), code);
  writer.write(out);
}

/// Blocks that become blocks of another format lose twice.
void note_requantising(const Model& model, const ConvertOptions& options) {
  if (options.weights.empty() || !options.notice) return;
  const auto mix = mix_named(options.weights);
  if (!mix || info(mix->format).exact) return;
  for (const auto& [name, tensor] : model.weights) {
    if (info(tensor.format).exact || tensor.format == mix->format) continue;
    options.notice(
        fmt::format("the weights are quantised already ({} as {}): quantised again as {} they lose "
                    "more than from the original checkpoint",
                    name, info(tensor.format).name, options.weights));
    return;
  }
}

}  // namespace

void convert_model(const Model& model, const fs::path& out, const ConvertOptions& options) {
  if (out.empty()) fail(ErrorKind::invalid, "the output has no name: expected a folder or a file");
  const std::string to = !options.to.empty()          ? options.to
                         : out.extension() == ".gguf" ? "gguf"
                                                      : "safetensors";
  note_requantising(model, options);
  if (to == "gguf") return write_gguf(model, out, options);
  if (to == "safetensors") return write_safetensors(model, out, options);
  fail(ErrorKind::invalid, "to {}: expected safetensors or gguf", to);
}

}  // namespace ashlar
