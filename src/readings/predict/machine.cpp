// Machines: their files, the library of them, and what they reach.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json.h"
#include "embedded/data.h"
#include "readings/predict/predict.h"

namespace ashlar {
namespace fs = std::filesystem;

double Machine::bandwidth(double working_set) const {
  // The smallest measured set that holds this one; the largest stands for memory.
  const Bandwidth* best = nullptr;
  const Bandwidth* largest = nullptr;
  for (const Bandwidth& b : read) {
    if (b.threads != 0 && b.threads != threads) continue;
    const auto size = [](const Bandwidth& x) { return x.working_set == 0 ? 1e30 : x.working_set; };
    if (largest == nullptr || size(b) > size(*largest)) largest = &b;
    if (size(b) >= working_set && (best == nullptr || size(b) < size(*best))) best = &b;
  }
  if (best == nullptr) best = largest;
  return best == nullptr ? 0 : best->bytes_per_second;
}

double Machine::peak(Format format) const {
  const auto fastest = [&](std::initializer_list<std::string_view> arithmetics) {
    double rate = 0;
    for (const Rate& r : matrix) {
      if (r.threads != 0 && r.threads != threads) continue;
      for (const std::string_view a : arithmetics) {
        if (r.arithmetic == a) rate = std::max(rate, r.operations_per_second);
      }
    }
    return rate;
  };
  if (format == Format::f32) return fastest({"f32"});
  if (format == Format::f16 || format == Format::bf16) return fastest({"f32", "bf16"});
  if (format == Format::fp8_b128) return fastest({"f32", "bf16", "fp8"});
  if (format == Format::mxfp4) return fastest({"f32", "bf16", "int8", "fp8", "fp4"});
  return fastest({"f32", "bf16", "int8"});
}

double Machine::usable_bytes() const {
  constexpr double kGib = 1024.0 * 1024 * 1024;
  const double reserve = reserve_bytes > 0       ? reserve_bytes
                         : source != "published" ? 0  // a probe finds what is available
                         : kind == "gpu"         ? std::max(kGib, 0.025 * memory_bytes)
                                                 : std::max(kGib, 0.04 * memory_bytes);
  return std::max(0.0, memory_bytes - reserve);
}

std::vector<std::string> machine_names() { return data_names("machines"); }

fs::path probed_machine_file() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path base = cache != nullptr && *cache != '\0' ? fs::path(cache)
                        : home != nullptr                  ? fs::path(home) / ".cache"
                                                           : fs::path(".cache");
  return base / "ashlar" / "machine.json";
}

Machine load_machine(const std::string& name_or_file) {
  std::error_code code;
  std::optional<DataFile> file;
  if (fs::is_regular_file(name_or_file, code)) {
    file = {read_file(name_or_file, size_t{1} << 22), name_or_file};
  } else {
    std::string name = name_or_file;  // names are lower-case, whoever writes them
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    file = find_data("machines", name);
  }
  if (!file) {
    const std::vector<std::string> names = machine_names();
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    fail(ErrorKind::io,
         "machine {}: no such file and no machine of that name; the nearest is {}; known: {}",
         name_or_file, names.empty() ? "none" : nearest(name_or_file, names, 1).at(0),
         known.empty() ? "none" : known);
  }
  Machine machine = machine_from_json(file->text, file->where);
  if (machine.name.empty()) machine.name = fs::path(name_or_file).stem().string();
  return machine;
}

namespace {

// Which keys the structs have in files, for reading and for writing.

template <class V>
void fields(V& v, Machine::Cache& c) {
  v("name", c.name);
  v("bytes", c.bytes);
  v("count", c.count);
}
template <class V>
void fields(V& v, Machine::Bandwidth& b) {
  v("threads", b.threads);
  v("working_set", b.working_set);
  v("bytes_per_second", b.bytes_per_second);
}
template <class V>
void fields(V& v, Machine::Rate& r) {
  v("arithmetic", r.arithmetic);
  v("instruction_set", r.instruction_set);
  v("threads", r.threads);
  v("operations_per_second", r.operations_per_second);
}
template <class V>
void fields(V& v, Machine::Link& l) {
  v("name", l.name);
  v("bytes_per_second", l.bytes_per_second);
  v("seconds", l.seconds);
  v("devices", l.devices);
}
template <class V>
void fields(V& v, Machine::Kernels::Product& p) {
  v("format", p.format);
  v("tokens", p.tokens);
  v("cols", p.cols);
  v("seconds_per_weight", p.seconds_per_weight);
  if (v.wants(p.packed)) v("packed", p.packed);
}
template <class V>
void fields(V& v, Machine::Kernels::Attention& a) {
  v("tokens", a.tokens);
  v("context", a.context);
  v("group", a.group);
  v("k_dim", a.k_dim);
  v("v_dim", a.v_dim);
  v("operations_per_second", a.operations_per_second);
}
template <class V>
void fields(V& v, Machine::Kernels& k) {
  v("table", k.table);
  v("step_seconds", k.step_seconds);
  v("products", k.products);
  v("attention", k.attention);
  v("row_seconds", k.row_seconds);
}
template <class V>
void fields(V& v, Machine& m) {
  v("name", m.name);
  v("kind", m.kind);
  v("source", m.source);
  v("date", m.date);
  v("note", m.note);
  v("threads", m.threads);
  v("memory_bytes", m.memory_bytes);
  v("step_seconds", m.step_seconds);
  if (v.wants(m.reserve_bytes > 0)) v("reserve_bytes", m.reserve_bytes);
  if (v.wants(!m.sources.empty())) v("sources", m.sources);
  if (v.wants(m.link.bytes_per_second > 0)) v("link", m.link);
  if (v.wants(m.host_bytes_per_second > 0)) v("host_bytes_per_second", m.host_bytes_per_second);
  v("caches", m.caches);
  v("read", m.read);
  v("matrix", m.matrix);
  v("kernels", m.kernels);
}

/// Takes the members that an object has; errors say where they are.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) fail(ErrorKind::format, "{}: expected an object", where_);
  }
  bool wants(bool) const { return true; }
  const Json* find(const char* key) const {
    const auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }
  void operator()(const char* key, std::string& value) const {
    const Json* j = find(key);
    if (j == nullptr) return;
    if (!j->is_string()) wrong(key, "a string");
    value = j->get<std::string>();
  }
  void operator()(const char* key, double& value) const {
    const Json* j = find(key);
    if (j == nullptr) return;
    if (!j->is_number()) wrong(key, "a number");
    value = j->get<double>();
    if (!std::isfinite(value) || value < 0) wrong(key, "a number of at least 0");
  }
  void operator()(const char* key, bool& value) const {
    const Json* j = find(key);
    if (j == nullptr) return;
    if (!j->is_boolean()) wrong(key, "true or false");
    value = j->get<bool>();
  }
  template <class Int>
  requires std::is_integral_v<Int>
  void operator()(const char* key, Int& value) const {
    double number = static_cast<double>(value);
    (*this)(key, number);
    if (number != std::floor(number) || number > 2e9) wrong(key, "a whole number");
    value = static_cast<Int>(number);
  }
  void operator()(const char* key, Format& value) const {
    std::string name(info(value).name);
    (*this)(key, name);
    const auto format = format_named(name);
    if (!format) fail(ErrorKind::format, "{}.{}: no format is called {}", where_, key, name);
    value = *format;
  }
  template <class T>
  void operator()(const char* key, std::vector<T>& list) const {
    const Json* j = find(key);
    if (j == nullptr) return;
    if (!j->is_array()) wrong(key, "a list");
    for (size_t i = 0; i < j->size(); ++i) {
      const Reader item((*j)[i], fmt::format("{}.{}[{}]", where_, key, i));
      fields(item, list.emplace_back());
    }
  }
  template <class T>
  void operator()(const char* key, std::map<std::string, T>& map) const {
    if (const auto members = object(key)) {
      for (const auto& [name, value] : members->json_.items()) (*members)(name.c_str(), map[name]);
    }
  }
  void operator()(const char* key, Machine::Link& link) const {
    if (const auto members = object(key)) fields(*members, link);
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value) const {
    if (const auto members = object(key)) fields(*members, value.emplace());
  }

 private:
  [[noreturn]] void wrong(const char* key, std::string_view expected) const {
    fail(ErrorKind::format, "{}.{}: expected {}", where_, key, expected);
  }
  std::optional<Reader> object(const char* key) const {
    const Json* j = find(key);
    if (j == nullptr) return std::nullopt;
    if (!j->is_object()) wrong(key, "an object");
    return Reader(*j, fmt::format("{}.{}", where_, key));
  }
  const Json& json_;
  std::string where_;
};

class Writer {
 public:
  Json json = Json::object();
  bool wants(bool given) const { return given; }
  void operator()(const char* key, const auto& value) { json[key] = value; }
  void operator()(const char* key, Format& format) { json[key] = info(format).name; }
  void operator()(const char* key, Machine::Link& link) { json[key] = written(link); }
  template <class T>
  void operator()(const char* key, std::vector<T>& list) {
    json[key] = Json::array();
    for (T& item : list) json[key].push_back(written(item));
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value) {
    if (value) json[key] = written(*value);
  }

 private:
  template <class T>
  static Json written(T& value) {
    Writer inner;
    fields(inner, value);
    return std::move(inner.json);
  }
};

/// A missing or zero figure would make a speed infinite.
void check_machine(const Machine& m, std::string_view where) {
  const auto need = [&](bool there, std::string_view what) {
    if (!there) fail(ErrorKind::format, "{}: expected {}", where, what);
  };
  need(m.memory_bytes > 0, "memory_bytes above 0");
  need(m.reserve_bytes < m.memory_bytes, "reserve_bytes below memory_bytes");
  need(m.kind == "cpu" || m.kind == "gpu" || m.kind == "unified",
       "kind to be one of cpu, gpu, unified");
  for (const Machine::Bandwidth& b : m.read)
    need(b.bytes_per_second > 0, "each bytes_per_second of read above 0");
  for (const Machine::Rate& x : m.matrix) {
    need(x.operations_per_second > 0, "each operations_per_second of matrix above 0");
    constexpr std::string_view kArithmetics[] = {"f32", "bf16", "int8", "fp8", "fp4"};
    need(std::find(std::begin(kArithmetics), std::end(kArithmetics), x.arithmetic) !=
             std::end(kArithmetics),
         fmt::format("each arithmetic of matrix to be one of f32, bf16, int8, fp8, fp4, found {}",
                     x.arithmetic));
  }
  need(m.bandwidth(1e30) > 0, "a bandwidth (read) of the threads that are used");
  need(m.peak(Format::f32) > 0, "a rate (matrix) of f32");
  if (m.kernels) {
    for (const auto& p : m.kernels->products)
      need(p.seconds_per_weight > 0 && p.tokens > 0 && p.cols > 0,
           "each product of kernels with tokens, cols and seconds_per_weight above 0");
    for (const auto& a : m.kernels->attention)
      need(a.operations_per_second > 0 && a.tokens > 0 && a.k_dim > 0 && a.group > 0,
           "each attention of kernels with tokens, group, k_dim and operations_per_second above 0");
  }
}

}  // namespace

Machine machine_from_json(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  const Reader reader(json, std::string(where));
  Machine m;
  fields(reader, m);
  if (reader.find("link") != nullptr && (m.link.bytes_per_second <= 0 || m.link.devices < 1))
    fail(ErrorKind::format, "{}.link: expected bytes_per_second above 0 and at least 1 device",
         where);
  check_machine(m, where);
  return m;
}

std::string machine_json(const Machine& machine) {
  Machine m = machine;
  Writer writer;
  fields(writer, m);
  return writer.json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ashlar
