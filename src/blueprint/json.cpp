// Blueprints as JSON, both ways, through the parts' field visitors.
#include "base/json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/error.h"
#include "blueprint/visit.h"

namespace ashlar {
namespace {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

template <class T>
Json write(const T& value);

struct Writer {
  Json json = Json::object();
  std::vector<std::string> may_be_left_out;
  template <class T>
  void operator()(std::string_view name, const T& value) {
    if constexpr (IsOptional<T>::value) {
      if (value) json[std::string(name)] = write(*value);
    } else if constexpr (std::is_class_v<T> && !IsVariant<T>::value) {
      Json inner = write(value);
      if (!inner.empty()) json[std::string(name)] = std::move(inner);
    } else {
      json[std::string(name)] = write(value);
    }
  }
  template <class T>
  void optional(std::string_view name, const T& value) {
    json[std::string(name)] = write(value);
    may_be_left_out.emplace_back(name);
  }
};

template <class T>
Json write(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return enum_name(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::vector<double>>) {
    return value;
  } else if constexpr (IsVariant<T>::value) {
    return std::visit(
        [](const auto& v) {
          Json json = Json::object();
          json[std::string(alternative_name<std::decay_t<decltype(v)>>())] = write(v);
          return json;
        },
        value);
  } else {
    // Members that are as in a new struct are left out.
    Writer writer, fresh;
    visit_fields(writer, value);
    const T initial{};
    visit_fields(fresh, initial);
    for (const std::string& name : writer.may_be_left_out) {
      if (writer.json[name] == fresh.json[name]) writer.json.erase(name);
    }
    return std::move(writer.json);
  }
}

class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object())
      fail(ErrorKind::format, "{}: expected an object, found {}", where_, json.type_name());
  }
  template <class T>
  void operator()(std::string_view name, T& value) {
    const auto it = json_.find(std::string(name));
    seen_.insert(std::string(name));
    if (it == json_.end()) {
      if constexpr (IsOptional<T>::value) {
        value.reset();
        return;
      } else if constexpr (std::is_class_v<T> && !IsVariant<T>::value) {
        read(Json::object(), path(name), value);
        return;
      } else {
        fail(ErrorKind::format, "{}: {} is missing", where_, name);
      }
    } else {
      read(*it, path(name), value);
    }
  }
  /// A member that is not there keeps what a new struct has.
  template <class T>
  void optional(std::string_view name, T& value) {
    const auto it = json_.find(std::string(name));
    seen_.insert(std::string(name));
    if (it != json_.end()) read(*it, path(name), value);
  }
  void allow(std::string_view name) { seen_.insert(std::string(name)); }
  void finish() const {
    for (const auto& [key, unused] : json_.items()) {
      if (seen_.count(key) == 0) {
        fail(ErrorKind::format, "{}: unknown field {}; fields here are {}", where_, key,
             fmt::join(seen_, ", "));
      }
    }
  }

  template <class T>
  static void read(const Json& json, const std::string& where, T& value) {
    if constexpr (std::is_enum_v<T>) {
      const auto named =
          json.is_string() ? enum_named<T>(json.get_ref<const std::string&>()) : std::nullopt;
      if (!named) {
        fail(ErrorKind::format, "{}: expected one of {}, found {}", where, enum_list<T>(),
             json.dump());
      }
      value = *named;
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean())
        fail(ErrorKind::format, "{}: expected true or false, found {}", where, json.dump());
      value = json.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      if (!json.is_number_integer() ||
          (json.is_number_unsigned() && json.get<uint64_t>() > (uint64_t{1} << 53))) {
        fail(ErrorKind::format, "{}: expected a whole number, found {}", where, json.dump());
      }
      value = json.get<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!json.is_number())
        fail(ErrorKind::format, "{}: expected a number, found {}", where, json.dump());
      value = json.get<T>();
    } else if constexpr (std::is_same_v<T, std::vector<double>>) {
      if (!json.is_array())
        fail(ErrorKind::format, "{}: expected a list of numbers, found {}", where, json.dump());
      value.clear();
      for (const Json& item : json) read(item, where, value.emplace_back());
    } else if constexpr (IsOptional<T>::value) {
      if (json.is_null())
        value.reset();
      else
        read(json, where, value.emplace());
    } else if constexpr (IsVariant<T>::value) {
      if (!json.is_object() || json.size() != 1) {
        fail(ErrorKind::format,
             "{}: expected an object with one key that says which kind, found {}", where,
             json.dump().substr(0, 60));
      }
      read_alternative(json.begin().key(), json.begin().value(), where, value,
                       std::make_index_sequence<std::variant_size_v<T>>());
    } else {
      Reader reader(json, where);
      visit_fields(reader, value);
      reader.finish();
    }
  }

 private:
  std::string path(std::string_view name) const { return where_ + "." + std::string(name); }

  template <class T, size_t... I>
  static void read_alternative(const std::string& key, const Json& json, const std::string& where,
                               T& value, std::index_sequence<I...>) {
    bool found = false;
    ((alternative_name<std::variant_alternative_t<I, T>>() == key
          ? (found = true, read(json, where + "." + key, value.template emplace<I>()))
          : void()),
     ...);
    if (found) return;
    std::string known;
    ((known += (I ? ", " : "") + std::string(alternative_name<std::variant_alternative_t<I, T>>())),
     ...);
    fail(ErrorKind::format, "{}: unknown kind {}, expected one of {}", where, key, known);
  }

  const Json& json_;
  std::string where_;
  std::set<std::string> seen_;
};

constexpr int64_t kMostBlocks = 4096;

Json write_folds(const std::vector<Fold>& folds, const std::vector<Block>& blocks) {
  Json list = Json::array();
  for (const Fold& f : folds) {
    Json item = Json::object();
    if (f.repeat > 1) item["repeat"] = f.repeat;
    if (f.inner.empty()) {
      const Json block = write(blocks[f.first]);
      for (const auto& [key, value] : block.items()) item[key] = value;
    } else {
      item["blocks"] = write_folds(f.inner, blocks);
    }
    list.push_back(std::move(item));
  }
  return list;
}

void read_blocks(const Json& json, const std::string& where, int depth,
                 std::vector<Block>& blocks) {
  if (!json.is_array())
    fail(ErrorKind::format, "{}: expected a list of blocks, found {}", where, json.type_name());
  if (depth > 8) fail(ErrorKind::format, "{}: lists of blocks nest at most 8 deep", where);
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string here = where + "[" + std::to_string(i) + "]";
    int64_t times = 1;
    std::vector<Block> group;
    if (!json[i].is_object())
      fail(ErrorKind::format, "{}: expected an object, found {}", here, json[i].type_name());
    if (json[i].contains("repeat")) Reader::read(json[i]["repeat"], here + ".repeat", times);
    if (json[i].contains("blocks")) {
      Reader reader(json[i], here);
      reader.allow("repeat");
      reader.allow("blocks");
      reader.finish();
      read_blocks(json[i]["blocks"], here + ".blocks", depth + 1, group);
    } else {
      Reader reader(json[i], here);
      reader.allow("repeat");
      visit_fields(reader, group.emplace_back());
      reader.finish();
    }
    if (times < 1 || times > kMostBlocks ||
        static_cast<int64_t>(blocks.size() + group.size()) * times > kMostBlocks) {
      fail(ErrorKind::format, "{}: {} repetitions; a blueprint has at most {} blocks", here, times,
           kMostBlocks);
    }
    for (int64_t r = 0; r < times; ++r) blocks.insert(blocks.end(), group.begin(), group.end());
  }
}

Json whole(const Blueprint& bp) {
  Json json = Json::object();
  if (!bp.name.empty()) json["name"] = bp.name;
  if (!bp.family.empty()) json["family"] = bp.family;
  if (bp.context > 0) json["context"] = bp.context;
  json["embedding"] = write(bp.embedding);
  json["blocks"] = write_folds(fold(bp.blocks), bp.blocks);
  if (bp.final_norm) json["final_norm"] = write(*bp.final_norm);
  if (Json head = write(bp.head); !head.empty()) json["head"] = std::move(head);
  if (!bp.mtp.empty()) json["mtp"] = write_folds(fold(bp.mtp), bp.mtp);
  return json;
}

bool small(const Json& json) { return json.dump().size() <= 92; }

// One line for what fits on one, so that a blueprint reads as a dozen lines.
void print(const Json& json, int indent, std::string& out) {
  if (!json.is_structured()) {
    out += json.dump();
    return;
  }
  const bool one_line = small(json);
  const auto new_line = [&](int spaces) {
    if (!one_line) out += "\n" + std::string(static_cast<size_t>(spaces), ' ');
  };
  out += json.is_object() ? "{" : "[";
  const char* comma = "";
  for (const auto& [key, value] : json.items()) {
    out += comma;
    comma = one_line ? ", " : ",";
    new_line(indent + 2);
    if (json.is_object()) out += Json(key).dump() + ": ";
    print(value, indent + 2, out);
  }
  new_line(indent);
  out += json.is_object() ? "}" : "]";
}

void flatten(const Json& json, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items())
      flatten(value, path.empty() ? key : path + "." + key, out);
  } else {
    out.emplace_back(path, json.dump());
  }
}

/// Numbers, or lists of equally many, whose relative differences are at most `share`.
bool alike(const Json& a, const Json& b, double share) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>(), y = b.get<double>();
    return std::abs(x - y) <= share * std::max(std::abs(x), std::abs(y));
  }
  if (!a.is_array() || !b.is_array() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!alike(a[i], b[i], share)) return false;
  }
  return true;
}

std::vector<Difference> diff_json(const Json& a, const Json& b, const std::string& path) {
  std::vector<std::pair<std::string, std::string>> left, right;
  flatten(a, path, left);
  flatten(b, path, right);
  std::vector<Difference> differences;
  const auto value_at = [](const auto& list, const std::string& key) {
    const auto it = std::ranges::find(list, key, [](const auto& item) { return item.first; });
    return it == list.end() ? std::string("-") : it->second;
  };
  for (const auto& [key, value] : left) {
    const std::string other = value_at(right, key);
    if (other != value) differences.push_back({key, value, other});
  }
  for (const auto& [key, value] : right) {
    if (value_at(left, key) == "-") differences.push_back({key, "-", value});
  }
  return differences;
}

}  // namespace

std::string to_json(const Blueprint& bp) {
  std::string out;
  print(whole(bp), 0, out);
  return out + "\n";
}

Blueprint blueprint_from_json(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  Reader reader(json, std::string(where));
  Blueprint bp;
  for (const char* key : {"name", "family", "blocks", "mtp"}) reader.allow(key);
  const auto text_of = [&](const char* key, std::string& value) {
    if (!json.contains(key)) return;
    if (!json[key].is_string())
      fail(ErrorKind::format, "{}.{}: expected text, found {}", where, key, json[key].dump());
    value = json[key].get<std::string>();
  };
  text_of("name", bp.name);
  text_of("family", bp.family);
  reader.optional("context", bp.context);
  reader("embedding", bp.embedding);
  if (!json.contains("blocks")) fail(ErrorKind::format, "{}: blocks is missing", where);
  read_blocks(json["blocks"], std::string(where) + ".blocks", 0, bp.blocks);
  reader("final_norm", bp.final_norm);
  reader("head", bp.head);
  if (json.contains("mtp")) read_blocks(json["mtp"], std::string(where) + ".mtp", 0, bp.mtp);
  reader.finish();
  check(bp);
  return bp;
}

std::vector<Difference> diff(const Blueprint& a, const Blueprint& b) {
  const auto rest = [](const Blueprint& bp) {
    Json json = whole(bp);
    json.erase("blocks");
    json.erase("mtp");
    json.erase("name");
    return json;
  };
  std::vector<Difference> all = diff_json(rest(a), rest(b), "");
  if (a.blocks.size() != b.blocks.size()) {
    all.push_back({"layers", std::to_string(a.blocks.size()), std::to_string(b.blocks.size())});
  }
  // Consecutive layers with the same differences are told once.
  size_t begin = 0;
  std::vector<Difference> current;
  const auto flush = [&](size_t end) {
    const std::string range =
        end - begin == 1 ? std::to_string(begin) : fmt::format("{}..{}", begin, end - 1);
    for (const Difference& d : current)
      all.push_back({"blocks[" + range + "]." + d.path, d.a, d.b});
  };
  const size_t common = std::min(a.blocks.size(), b.blocks.size());
  for (size_t i = 0; i < common; ++i) {
    std::vector<Difference> here = diff_json(write(a.blocks[i]), write(b.blocks[i]), "");
    const bool same = here == current;
    if (i > 0 && !same) {
      flush(i);
      begin = i;
    }
    if (i == 0 || !same) current = std::move(here);
  }
  if (common > 0) flush(common);
  if (a.mtp != b.mtp)
    all.push_back({"mtp", std::to_string(a.mtp.size()) + " layers",
                   std::to_string(b.mtp.size()) + " layers"});
  return all;
}

bool rounded_alike(const Difference& d, double share) {
  const Json a = Json::parse(d.a, nullptr, false), b = Json::parse(d.b, nullptr, false);
  return alike(a, b, share);
}

}  // namespace ashlar
