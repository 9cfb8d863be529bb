// One row per layer (or expert), one column per step with telemetry; colours by the logarithm, or
// for shares by the share.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "figures/svg.h"
#include "runs/report.h"

namespace ashlar {
namespace {

struct Map {
  std::string title;
  std::vector<std::string> rows;
  std::vector<std::vector<double>> columns;  // one per step, of rows.size() values
};

constexpr size_t kColumns = 160;  // as many as one can tell apart

/// Viridis in five stops, between them straight.
std::string colour(double share) {
  static constexpr int kStops[5][3] = {
      {68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};
  const double at = std::clamp(share, 0.0, 1.0) * 4;
  const auto i = std::min<size_t>(3, static_cast<size_t>(at));
  const double rest = at - static_cast<double>(i);
  const auto mixed = [&](size_t c) {
    return std::lround(kStops[i][c] + rest * (kStops[i + 1][c] - kStops[i][c]));
  };
  return fmt::format("rgb({},{},{})", mixed(0), mixed(1), mixed(2));
}

std::string figure(const Map& map, const std::vector<int64_t>& steps) {
  double least = INFINITY, most = -INFINITY;
  for (const auto& column : map.columns) {
    for (const double v : column) {
      if (!(v > 0) || !std::isfinite(v)) continue;
      least = std::min(least, std::log(v));
      most = std::max(most, std::log(v));
    }
  }
  if (!(most >= least)) return {};
  constexpr double kWidth = 620, kCell = 14, kTop = 40;
  double names = 0;
  for (const std::string& row : map.rows) names = std::max(names, text_width(row, 10.5));
  const double left = names + 14, height = kTop + kCell * static_cast<double>(map.rows.size()) + 34,
               cell = (kWidth - left - 8) / static_cast<double>(map.columns.size());
  Svg svg;
  svg.text(8, 18, map.title, {.size = 14, .bold = true, .anchor = Anchor::start});
  svg.text(8, 33, fmt::format("{:.3g} (dark) to {:.3g}", std::exp(least), std::exp(most)),
           {.size = 11, .classes = "s", .anchor = Anchor::start});
  std::string cells;
  for (size_t r = 0; r < map.rows.size(); ++r) {
    const double y = kTop + kCell * static_cast<double>(r);
    svg.text(left - 5, y + 10.5, map.rows[r],
             {.size = 10.5, .classes = "s", .anchor = Anchor::end});
    for (size_t c = 0; c < map.columns.size(); ++c) {
      const double v = map.columns[c][r];
      const double share = most > least && v > 0 ? (std::log(v) - least) / (most - least) : 0;
      cells += fmt::format(
          "<rect x=\"{:.2f}\" y=\"{:.0f}\" width=\"{:.2f}\" height=\"{:.0f}\" fill=\"{}\">"
          "<title>{}, step {}: {:.4g}</title></rect>",
          left + cell * static_cast<double>(c), y, cell + 0.3, kCell, colour(share),
          xml_escaped(map.rows[r]), steps[c], v);
    }
  }
  svg.text(left, height - 16, fmt::format("step {}", steps.front()),
           {.size = 11, .classes = "s", .anchor = Anchor::start});
  svg.text(kWidth - 8, height - 16, fmt::format("step {}", steps.back()),
           {.size = 11, .classes = "s", .anchor = Anchor::end});
  return "<figure>" +
         svg_document(kWidth, height, map.title, map.title + " over steps", svg.body() + cells,
                      false) +
         "</figure>\n";
}

/// The largest of a list, or the number itself.
double largest(const Json& value) {
  if (value.is_number()) return value.get<double>();
  double most = -INFINITY;
  if (value.is_array()) {
    for (const Json& v : value) {
      if (v.is_number()) most = std::max(most, v.get<double>());
    }
  }
  return most;
}

/// Rows are the names of an object, which all steps have alike.
Map map_of(const char* title, const std::vector<Json>& records, const Json::json_pointer& path) {
  Map map{.title = title};
  for (const Json& record : records) {
    if (!record.contains(path) || !record.at(path).is_object()) return {};
    const Json& values = record.at(path);
    if (map.rows.empty()) {
      for (const auto& [name, unused] : values.items()) map.rows.push_back(name);
    }
    std::vector<double> column;
    for (const std::string& name : map.rows)
      column.push_back(values.contains(name) ? largest(values[name]) : 0);
    map.columns.push_back(std::move(column));
  }
  return map;
}

/// One map per router: its experts' loads.
std::vector<Map> expert_maps(const std::vector<Json>& records) {
  std::vector<Map> maps;
  if (!records[0].contains("experts") || !records[0]["experts"].is_object()) return maps;
  for (const auto& [scope, first] : records[0]["experts"].items()) {
    Map map{.title = "Load of experts, " + scope};
    const size_t experts = first.contains("load") ? first["load"].size() : 0;
    for (size_t e = 0; e < experts; ++e) map.rows.push_back(std::to_string(e));
    for (const Json& record : records) {
      const Json load = record.value(Json::json_pointer("/experts/" + scope + "/load"), Json());
      std::vector<double> column(experts, 0);
      for (size_t e = 0; e < std::min(experts, load.size()); ++e) column[e] = largest(load[e]);
      map.columns.push_back(std::move(column));
    }
    maps.push_back(std::move(map));
  }
  return maps;
}

}  // namespace

std::string heat_maps_of(const std::filesystem::path& telemetry) {
  std::error_code code;
  if (!std::filesystem::exists(telemetry, code)) return {};
  const std::string all = read_file(telemetry);
  std::vector<Json> records;
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = all.find('\n', begin);
    if (end == std::string::npos) break;
    records.push_back(parse_json(all.substr(begin, end - begin), telemetry.string()));
    begin = end + 1;
  }
  // Evenly spaced ones.
  std::vector<Json> few;
  std::vector<int64_t> steps;
  for (size_t i = 0; i < std::min(kColumns, records.size()); ++i) {
    few.push_back(records[i * records.size() / std::min(kColumns, records.size())]);
    steps.push_back(few.back().value("step", int64_t{0}));
  }
  if (few.empty()) return {};
  std::string out;
  for (const auto& [title, path] :
       {std::pair{"Gradient norm by layer", "/gradient_norm/layers"},
        std::pair{"Update over weight by layer", "/update_ratio/layers"},
        std::pair{"Residual stream, root mean square", "/residual_rms"},
        std::pair{"Branches, root mean square", "/branch_rms"},
        std::pair{"Largest attention score", "/largest_score"},
        std::pair{"Entropy of attention, largest of the heads", "/score_entropy"}})
    out += figure(map_of(title, few, Json::json_pointer(path)), steps);
  for (const Map& map : expert_maps(few)) out += figure(map, steps);
  return out;
}

}  // namespace ashlar
