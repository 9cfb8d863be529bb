// The few numbers of a result that a claim quotes.
#include "readings/claims/claims_experiment.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "embedded/data.h"
#include "readings/claims/claims.h"
#include "readings/draw/words.h"

namespace ashlar {
namespace fs = std::filesystem;
namespace {

/// <id>.json of the user's own results, else of $ASHLAR_EXPERIMENTS/results, else of those that
/// come with Ashlar.
std::optional<DataFile> find_results(const std::string& id) {
  if (id.find('/') != std::string::npos) return {};
  std::vector<fs::path> places{own_results_folder()};
  if (const char* folder = std::getenv("ASHLAR_EXPERIMENTS"))
    places.push_back(fs::path(folder) / "results");
  for (const fs::path& place : places) {
    const fs::path file = place / (id + ".json");
    std::error_code code;
    if (fs::is_regular_file(file, code)) return DataFile{read_file(file), file.string()};
  }
  return find_data("experiments/results", id);
}

}  // namespace

std::string joined(const Json& list) {
  std::vector<std::string> words;
  for (const Json& item : list)
    words.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  return join(words, ", ");
}

fs::path own_results_folder() { return measurements_file().parent_path() / "experiments"; }

Json experiment_reading(const std::string& id) {
  const std::optional<DataFile> file = find_results(id);
  if (!file) return {{"known", false}};
  const Json results = parse_json(file->text, file->where);
  try {
    Json reading = {{"known", true},
                    {"seeds", results.at("seeds").size()},
                    {"machine", joined(results.at("machines"))},
                    {"date", joined(results.at("dates"))},
                    {"commit", joined(results.at("commits"))},
                    {"tokens", results.at("tokens")}};
    for (const Json& arm : results.at("arms")) {
      if (arm.at("name") == results.at("baseline"))
        reading["parameters"] = arm.at("parameters").at("total");
    }
    for (const Json& c : results.at("criteria")) {
      std::string name = c.at("id").get<std::string>();
      std::replace(name.begin(), name.end(), '-', '_');
      const Json& d = c.at("difference");
      const auto number = [&](const char* key) {
        return d.at(key).is_number() ? d.at(key) : Json(0);
      };
      reading[name] = {
          {"verdict", c.at("verdict")},  {"metric", c.at("metric")},
          {"arm", c.at("arm_mean")},     {"against", c.at("against_mean")},
          {"mean", number("mean")},      {"low", number("low")},
          {"high", number("high")},      {"smallest_detectable", number("smallest_detectable")},
          {"sentence", c.at("sentence")}};
      if (const Json& signs = c.value("signs", Json()); !signs.is_null()) {
        const int64_t below = signs.at("below"), above = signs.at("above");
        reading[name].update({{"below", below}, {"events", below + above}, {"p", signs.at("p")}});
      }
    }
    return reading;
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::format, "{}: is no result of an experiment: {}", file->where, e.what());
  }
}

}  // namespace ashlar
