// The style sheet of drawings and plots.
#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>

#include "figures/svg.h"

namespace ashlar {
namespace {

/// Colours of one kind of part: `fill` and `stroke` of boxes, `stroke` of what points to them.
struct Tone {
  std::string_view name, light_fill, light_stroke, dark_fill, dark_stroke;
};

constexpr Tone kTones[] = {
    {"full", "#dfe9ff", "#4670d6", "#1d2f55", "#7ea4ff"},
    {"window", "#d3f0ec", "#178a7d", "#123f3a", "#4fcfbe"},
    {"chunk", "#e0f2d3", "#4b922c", "#263f1a", "#8ad169"},
    {"nope", "#ebe3ff", "#7c51cf", "#34264f", "#b79af5"},
    {"latent", "#fbe1ef", "#bd3f87", "#4a2039", "#f092c7"},
    {"recurrent", "#dcefe0", "#2f8f5b", "#1b3f2b", "#67cf98"},
    {"dense", "#ffedcc", "#c27a0c", "#46320f", "#f0b24f"},
    {"experts", "#ffdfd6", "#d0502f", "#4d2419", "#ff977c"},
    {"other", "#dff1fb", "#2a85b3", "#173a4d", "#6cc4ee"},
    {"another", "#f0edc9", "#8f8412", "#3b3912", "#d8cd58"},
    {"norm", "#eef0f3", "#7d8796", "#29303a", "#8b97a8"},
    {"io", "#e4e9f0", "#5a6a80", "#232d3a", "#93a5bb"},
};

/// Series of plots: apart in hue and in lightness, readable on both grounds.
constexpr std::array<std::string_view, kSeriesColours> kLightSeries = {
    "#2f62d9", "#d0502f", "#178a7d", "#a8379b", "#c27a0c",
    "#2a85b3", "#6a9a1f", "#7c51cf", "#8a6d5a", "#5a6a80"};
constexpr std::array<std::string_view, kSeriesColours> kDarkSeries = {
    "#7ea4ff", "#ff8a6b", "#4fcfbe", "#ef86df", "#f0b24f",
    "#6cc4ee", "#a9d65a", "#b79af5", "#d0b09a", "#a9b8ca"};

std::string rules(bool dark) {
  std::string out;
  const auto add = [&](std::string_view selector, std::string_view what) {
    fmt::format_to(std::back_inserter(out), ".ashlar {}{{{}}}\n", selector, what);
  };
  const auto pick = [&](std::string_view light, std::string_view night) {
    return dark ? night : light;
  };
  const std::string_view text = pick("#17202c", "#e9eef5"), soft = pick("#556171", "#a6b2c2"),
                         line = pick("#3b4758", "#a6b3c4");
  add(".page", fmt::format("fill:{}", pick("#ffffff", "#11161d")));
  add(".t", fmt::format("fill:{}", text));
  add(".s", fmt::format("fill:{}", soft));
  add(".panel", fmt::format("fill:{};stroke:{};stroke-width:1.2", pick("#f8f9fb", "#171e28"),
                            pick("#b9c2ce", "#445163")));
  add(".inset", fmt::format("fill:{};stroke:{};stroke-width:1", pick("#fcfcfd", "#141a23"),
                            pick("#d5dbe3", "#36414f")));
  add(".slot", fmt::format("fill:none;stroke:{};stroke-width:1;stroke-dasharray:4 3",
                           pick("#97a2b1", "#5b697c")));
  add(".w", fmt::format("fill:none;stroke:{};stroke-width:1.5", line));
  add(".wh", fmt::format("fill:{};stroke:none", line));
  add(".plus", fmt::format("fill:{};stroke:{};stroke-width:1.5", pick("#ffffff", "#11161d"), line));
  add(".link", fmt::format("fill:none;stroke:{};stroke-width:1;stroke-dasharray:1.5 3.5",
                           pick("#6f7c8d", "#8593a5")));
  add(".mark", fmt::format("fill:{};stroke:none", pick("#ffe48f", "#6a5310")));
  add(".axis", fmt::format("fill:none;stroke:{};stroke-width:1.2", pick("#8a95a4", "#6c7a8d")));
  add(".grid", fmt::format("fill:none;stroke:{};stroke-width:1", pick("#e3e8ee", "#2a3441")));
  add(".idle", fmt::format("fill:{};stroke:{};stroke-width:0.6", pick("#ffffff", "#1c1512"),
                           pick("#dd9f8c", "#8a4a39")));
  for (const Tone& t : kTones) {
    const std::string_view fill = pick(t.light_fill, t.dark_fill),
                           stroke = pick(t.light_stroke, t.dark_stroke);
    add(fmt::format(".{}", t.name),
        fmt::format("fill:{};stroke:{};stroke-width:1.3", fill, stroke));
    add(fmt::format(".{}-solid", t.name), fmt::format("fill:{};stroke:none", stroke));
    add(fmt::format(".{}-link", t.name),
        fmt::format("fill:none;stroke:{};stroke-width:1.4;stroke-dasharray:1.5 3.5", stroke));
  }
  add(".marked", fmt::format("stroke:{};stroke-width:2.4", pick("#e0a500", "#ffd04d")));
  const auto& series = dark ? kDarkSeries : kLightSeries;
  for (size_t i = 0; i < series.size(); ++i) {
    add(fmt::format(".l{}", i), fmt::format("fill:none;stroke:{};stroke-width:2", series[i]));
    add(fmt::format(".s{}", i), fmt::format("fill:{};stroke:none", series[i]));
  }
  add(".dash", "stroke-dasharray:7 3");
  add(".dash2", "stroke-dasharray:2 3");
  add(".dash3", "stroke-dasharray:9 3 2 3");
  add(".dots", "stroke-width:1.4;stroke-dasharray:1.5 4");
  add(".lead", "stroke-width:0.8;stroke-opacity:.55");
  return out;
}

}  // namespace

std::string svg_style() {
  return rules(false) + "@media (prefers-color-scheme:dark){\n" + rules(true) +
         "}\n@media print{:root.ashlar{width:100%;height:auto}}\n";
}

}  // namespace ashlar
