// On the JSON of a blueprint, whose reader then finds what makes no sense.
#include "runs/blueprint_change.h"

#include <charconv>

#include "base/edit_distance.h"
#include "base/error.h"
#include "model/model.h"

namespace ashlar {
namespace {

Json unfolded(const Json& blocks) {
  Json all = Json::array();
  for (const Json& item : blocks) {
    Json group = Json::array();
    if (item.contains("blocks")) {
      group = unfolded(item["blocks"]);
    } else {
      Json block = item;
      block.erase("repeat");
      group.push_back(block);
    }
    for (int64_t r = item.value("repeat", int64_t{1}); r > 0; --r)
      all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

/// Which alternative a block takes is one key: mixer.attention, wiring.pre_norm.
bool is_kind(std::string_view key) { return key == "mixer" || key == "ffn" || key == "wiring"; }

/// Sets what `path` leads to below `at`; false where it leads into an alternative that is not
/// there.
bool set_below(Json& at, std::string_view path, const Json& value) {
  const size_t end = path.find('.');
  const std::string key(path.substr(0, end));
  if (end == std::string_view::npos) {
    at[key] = value;
    return true;
  }
  const std::string_view rest = path.substr(end + 1);
  if (is_kind(key) && at.contains(key) && at[key].is_object()) {
    const std::string kind(rest.substr(0, rest.find('.')));
    if (!at[key].contains(kind) && rest.find('.') != std::string_view::npos) return false;
    // A whole alternative in place of the one that was there.
    if (!at[key].contains(kind)) at[key] = Json::object();
  }
  if (!at[key].is_object()) at[key] = Json::object();
  return set_below(at[key], rest, value);
}

struct Range {
  size_t begin = 0, end = 0;
  bool several = false;
};

Range range_of(std::string_view text, size_t count, std::string_view path) {
  if (text == "*") return {0, count, true};
  size_t first = 0, last = 0;
  const size_t dots = text.find("..");
  const auto number = [&](std::string_view digits, size_t& out) {
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return r.ec == std::errc() && r.ptr == digits.data() + digits.size();
  };
  const bool read = dots == std::string_view::npos ? number(text, first) && number(text, last)
                                                   : number(text.substr(0, dots), first) &&
                                                         number(text.substr(dots + 2), last);
  if (!read || first > last || last >= count) {
    fail(ErrorKind::invalid,
         "change: {}: expected blocks[*], blocks[i] or blocks[i..k] with layers 0 to {}", path,
         count - 1);
  }
  return {first, last + 1, first != last};
}

void set_blocks(Json& blocks, const std::string& path, const Json& value) {
  const size_t close = path.find(']');
  constexpr size_t kOpen = 7;  // "blocks["
  if (close == std::string::npos || close + 1 >= path.size() || path[close + 1] != '.') {
    fail(ErrorKind::invalid,
         "change: {}: expected blocks[...].path, such as blocks[*].ffn.dense.width", path);
  }
  const Range range =
      range_of(std::string_view(path).substr(kOpen, close - kOpen), blocks.size(), path);
  const std::string_view rest = std::string_view(path).substr(close + 2);
  size_t changes = 0;
  for (size_t i = range.begin; i < range.end; ++i)
    changes += set_below(blocks[i], rest, value) ? 1U : 0U;
  if (changes == 0) {
    fail(ErrorKind::invalid, "change: {}: no layer of these has that; the first is {}", path,
         blocks[range.begin].dump());
  }
}

}  // namespace

Blueprint changed(const Blueprint& base, const Json& change) {
  if (!change.is_object())
    fail(ErrorKind::invalid, "model.change: expected an object of paths, found {}", change.dump());
  Blueprint bp = base;
  if (const auto it = change.find("layers"); it != change.end()) {
    constexpr int64_t kMost = 4096;
    if (!it->is_number_integer() || it->get<int64_t>() < 1 || it->get<int64_t>() > kMost)
      fail(ErrorKind::invalid, "change: layers: expected 1 to {}, found {}", kMost, it->dump());
    const auto layers = static_cast<size_t>(it->get<int64_t>()), had = bp.blocks.size();
    const std::vector<Fold> folds = fold(bp.blocks);
    const size_t period = folds.back().length;
    for (size_t i = had; i < layers; ++i) bp.blocks.push_back(bp.blocks[i - period]);
    bp.blocks.resize(layers);
  }
  Json json = parse_json(to_json(bp), "blueprint");
  json["blocks"] = unfolded(json["blocks"]);
  static const std::vector<std::string> kRoots{"layers",     "embedding", "blocks", "head",
                                               "final_norm", "context",   "name",   "mtp"};
  for (const auto& [path, value] : change.items()) {
    if (path == "layers") continue;
    const std::string root = path.substr(0, path.find_first_of(".["));
    if (std::find(kRoots.begin(), kRoots.end(), root) == kRoots.end()) {
      fail(ErrorKind::invalid, "change: {}: a blueprint has no {}; did you mean {}?", path, root,
           nearest(root, kRoots, 1).at(0));
    }
    if (path.starts_with("blocks["))
      set_blocks(json["blocks"], path, value);
    else
      set_below(json, path, value);
  }
  if (!json.value("name", "").empty() && !change.contains("name"))
    json["name"] = json["name"].get<std::string>() + "-changed";
  return blueprint_from_json(json.dump(), "model.change");
}

Blueprint blueprint_of(const Json& model) {
  const auto load = [](const std::string& name) {
    return load_model(name, {.need_weights = false}).blueprint;
  };
  if (model.is_string()) return load(model.get<std::string>());
  if (!model.contains("base")) return blueprint_from_json(model.dump(), "model");
  for (const auto& [key, unused] : model.items()) {
    if (key != "base" && key != "change") {
      fail(ErrorKind::invalid,
           "model.{}: unknown key; did you mean {}? Known here are base, change", key,
           nearest(key, {"base", "change"}, 1).at(0));
    }
  }
  const Blueprint base = blueprint_of(model["base"]);
  return model.contains("change") ? changed(base, model["change"]) : base;
}

}  // namespace ashlar
