// Looks defaults up in the generated table.
#include "families/config_defaults.h"

#include <map>

namespace ashlar {
namespace {

struct Entry {
  const char* model_type;
  const char* defaults;
};
constexpr Entry kTable[] = {
#include "families/config_defaults.inc"
};

const Json* find(const std::string& model_type) {
  static const std::map<std::string, Json> kParsed = [] {
    std::map<std::string, Json> parsed;
    for (const Entry& e : kTable) parsed.emplace(e.model_type, Json::parse(e.defaults));
    return parsed;
  }();
  const auto it = kParsed.find(model_type);
  return it == kParsed.end() ? nullptr : &it->second;
}

}  // namespace

const Json& config_defaults(const Family& family, const std::string& model_type) {
  static const Json kNone;
  if (const Json* own = find(model_type)) return *own;
  for (const std::string_view type : {family.model_types.front(), family.written_type}) {
    if (const Json* of_family = find(std::string(type))) return *of_family;
  }
  return kNone;
}

}  // namespace ashlar
