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

/// Members of a JSON object with errors that say where they are.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) fail(ErrorKind::format, "{}: expected an object", where_);
  }
  void operator()(const char* key, std::string& value) const {
    if (const Json* j = find(key, j_string)) value = j->get<std::string>();
  }
  void operator()(const char* key, double& value) const {
    const Json* j = find(key, j_number);
    if (j == nullptr) return;
    value = j->get<double>();
    if (!std::isfinite(value) || value < 0)
      fail(ErrorKind::format, "{}.{}: expected a number of at least 0", where_, key);
  }
  template <class Int>
  requires std::is_integral_v<Int>
  void operator()(const char* key, Int& value) const {
    double number = static_cast<double>(value);
    (*this)(key, number);
    if (number != std::floor(number) || number > 2e9)
      fail(ErrorKind::format, "{}.{}: expected a whole number", where_, key);
    value = static_cast<Int>(number);
  }
  void operator()(const char* key, Format& value) const {
    std::string name(info(value).name);
    (*this)(key, name);
    const auto format = format_named(name);
    if (!format) fail(ErrorKind::format, "{}.{}: no format is called {}", where_, key, name);
    value = *format;
  }
  template <class F>
  void list(const char* key, F each) const {
    const Json* j = find(key, j_array);
    for (size_t i = 0; j != nullptr && i < j->size(); ++i)
      each(Reader((*j)[i], fmt::format("{}.{}[{}]", where_, key, i)));
  }
  const Json* object(const char* key) const { return find(key, j_object); }
  const std::string& where() const { return where_; }

 private:
  enum Type { j_string, j_number, j_array, j_object };
  const Json* find(const char* key, Type type) const {
    const auto it = json_.find(key);
    if (it == json_.end()) return nullptr;
    const bool right = type == j_string   ? it->is_string()
                       : type == j_number ? it->is_number()
                       : type == j_array  ? it->is_array()
                                          : it->is_object();
    constexpr const char* kNames[] = {"a string", "a number", "a list", "an object"};
    if (!right) fail(ErrorKind::format, "{}.{}: expected {}", where_, key, kNames[type]);
    return &*it;
  }
  const Json& json_;
  std::string where_;
};

void read_kernels(const Reader& r, Machine::Kernels& k) {
  r("table", k.table);
  r("step_seconds", k.step_seconds);
  r.list("products", [&](const Reader& p) {
    Machine::Kernels::Product& out = k.products.emplace_back();
    p("format", out.format);
    p("tokens", out.tokens);
    p("seconds_per_weight", out.seconds_per_weight);
    p("cols", out.cols);
  });
  r.list("attention", [&](const Reader& a) {
    Machine::Kernels::Attention& out = k.attention.emplace_back();
    a("tokens", out.tokens);
    a("context", out.context);
    a("group", out.group);
    a("k_dim", out.k_dim);
    a("v_dim", out.v_dim);
    a("operations_per_second", out.operations_per_second);
  });
  if (const Json* rows = r.object("row_seconds")) {
    const Reader members(*rows, r.where() + ".row_seconds");
    for (const auto& [name, value] : rows->items()) members(name.c_str(), k.row_seconds[name]);
  }
}

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
  const Reader r(json, std::string(where));
  Machine m;
  r("name", m.name);
  r("kind", m.kind);
  r("source", m.source);
  r("date", m.date);
  r("note", m.note);
  r("threads", m.threads);
  r("memory_bytes", m.memory_bytes);
  r("reserve_bytes", m.reserve_bytes);
  r("host_bytes_per_second", m.host_bytes_per_second);
  if (const Json* sources = r.object("sources")) {
    const Reader members(*sources, std::string(where) + ".sources");
    for (const auto& [name, value] : sources->items()) members(name.c_str(), m.sources[name]);
  }
  if (const Json* link = r.object("link")) {
    const Reader members(*link, std::string(where) + ".link");
    members("name", m.link.name);
    members("bytes_per_second", m.link.bytes_per_second);
    members("seconds", m.link.seconds);
    members("devices", m.link.devices);
    if (m.link.bytes_per_second <= 0 || m.link.devices < 1)
      fail(ErrorKind::format, "{}.link: expected bytes_per_second above 0 and at least 1 device",
           where);
  }
  r("step_seconds", m.step_seconds);
  r.list("caches", [&](const Reader& c) {
    Machine::Cache& out = m.caches.emplace_back();
    c("name", out.name);
    c("bytes", out.bytes);
    c("count", out.count);
  });
  r.list("read", [&](const Reader& b) {
    Machine::Bandwidth& out = m.read.emplace_back();
    b("threads", out.threads);
    b("working_set", out.working_set);
    b("bytes_per_second", out.bytes_per_second);
  });
  r.list("matrix", [&](const Reader& x) {
    Machine::Rate& out = m.matrix.emplace_back();
    x("arithmetic", out.arithmetic);
    x("instruction_set", out.instruction_set);
    x("threads", out.threads);
    x("operations_per_second", out.operations_per_second);
  });
  if (const Json* kernels = r.object("kernels"))
    read_kernels(Reader(*kernels, std::string(where) + ".kernels"), m.kernels.emplace());
  check_machine(m, where);
  return m;
}

std::string machine_json(const Machine& m) {
  Json json{{"name", m.name},
            {"kind", m.kind},
            {"source", m.source},
            {"date", m.date},
            {"note", m.note},
            {"threads", m.threads},
            {"memory_bytes", m.memory_bytes},
            {"step_seconds", m.step_seconds}};
  if (m.reserve_bytes > 0) json["reserve_bytes"] = m.reserve_bytes;
  if (!m.sources.empty()) json["sources"] = m.sources;
  if (m.link.bytes_per_second > 0) {
    json["link"] = {{"name", m.link.name},
                    {"bytes_per_second", m.link.bytes_per_second},
                    {"seconds", m.link.seconds},
                    {"devices", m.link.devices}};
  }
  if (m.host_bytes_per_second > 0) json["host_bytes_per_second"] = m.host_bytes_per_second;
  for (const char* list : {"caches", "read", "matrix"}) json[list] = Json::array();
  for (const Machine::Cache& c : m.caches)
    json["caches"].push_back({{"name", c.name}, {"bytes", c.bytes}, {"count", c.count}});
  for (const Machine::Bandwidth& b : m.read) {
    json["read"].push_back({{"threads", b.threads},
                            {"working_set", b.working_set},
                            {"bytes_per_second", b.bytes_per_second}});
  }
  for (const Machine::Rate& r : m.matrix) {
    json["matrix"].push_back({{"arithmetic", r.arithmetic},
                              {"instruction_set", r.instruction_set},
                              {"threads", r.threads},
                              {"operations_per_second", r.operations_per_second}});
  }
  if (m.kernels) {
    Json k{{"table", m.kernels->table}, {"step_seconds", m.kernels->step_seconds}};
    k["products"] = k["attention"] = Json::array();
    for (const auto& p : m.kernels->products) {
      k["products"].push_back({{"format", info(p.format).name},
                               {"tokens", p.tokens},
                               {"cols", p.cols},
                               {"seconds_per_weight", p.seconds_per_weight}});
    }
    for (const auto& a : m.kernels->attention) {
      k["attention"].push_back({{"tokens", a.tokens},
                                {"context", a.context},
                                {"group", a.group},
                                {"k_dim", a.k_dim},
                                {"v_dim", a.v_dim},
                                {"operations_per_second", a.operations_per_second}});
    }
    k["row_seconds"] = m.kernels->row_seconds;
    json["kernels"] = std::move(k);
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ashlar
