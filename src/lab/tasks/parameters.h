// Parameters of tasks from JSON: whole numbers and lists of them, within bounds.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "runs/settings_json.h"

namespace ashlar::lab {

class Parameters {
 public:
  Parameters(const Json& json, const std::string& task)
      : json_(json), reader_(json, "data.parameters"), task_(task) {}
  template <class T>  // int64_t, double
  void operator()(const char* name, T& value, std::type_identity_t<T> least,
                  std::type_identity_t<T> most) {
    reader_(name, value);
    check(name, value, least, most);
  }
  /// A number, or a list of them.
  void operator()(const char* name, std::vector<int64_t>& values, int64_t least, int64_t most) {
    reader_.allow(name);
    if (const auto it = json_.find(name); it != json_.end()) {
      values.clear();
      const Json list = it->is_array() ? *it : Json::array({*it});
      for (const Json& item : list) SettingsReader::read(item, name, values.emplace_back());
    }
    if (values.empty()) fail(ErrorKind::invalid, "{}: {}: expected at least one", task_, name);
    for (const int64_t v : values) check(name, v, least, most);
  }
  void finish() { reader_.finish(); }

 private:
  template <class T>
  void check(const char* name, T value, T least, T most) const {
    if (!(value >= least && value <= most)) {
      fail(ErrorKind::invalid, "{}: {}: expected {} to {}, found {}", task_, name, least, most,
           value);
    }
  }
  const Json& json_;
  SettingsReader reader_;
  std::string task_;
};

}  // namespace ashlar::lab
