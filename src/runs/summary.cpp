// A log is read as far as it is whole: it may be written at the moment.
#include "runs/summary.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

double number(const Json& json) {
  return json.is_number() ? json.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

StepRecord record_from(const Json& json) {
  StepRecord r;
  for (const auto& [key, value] : json.items()) {
    if (key == "step")
      r.step = value.get<int64_t>();
    else if (key == "tokens")
      r.tokens = value.get<int64_t>();
    else if (key == "loss")
      r.loss = number(value);
    else if (key == "gradient_norm")
      r.gradient_norm = number(value);
    else if (key == "rate")
      r.rate = number(value);
    else if (key == "seconds")
      r.seconds = number(value);
    else if (key == "tokens_per_second")
      r.tokens_per_second = number(value);
    else if (key == "validation_loss")
      r.validation_loss = number(value);
    else if (key == "bits_per_byte")
      r.bits_per_byte = number(value);
    else if (key == "spikes")
      r.spikes = value.get<std::vector<std::string>>();
    else if (value.is_number())
      r.values[key] = {value.get<float>()};
  }
  return r;
}

/// What a run.json calls its architecture.
std::string name_of(const Json& model) {
  if (model.is_string()) return fs::path(model.get<std::string>()).filename().string();
  if (!model.is_object()) return "";
  if (model.contains("base")) {
    const std::string base = name_of(model["base"]);
    return model.contains("change") && !model["change"].empty() ? base + " (changed)" : base;
  }
  return model.value("name", "");
}

void search(const fs::path& folder, int depth, std::vector<fs::path>& found) {
  std::error_code code;
  if (fs::exists(folder / "run.json", code)) {
    found.push_back(folder);
    return;
  }
  if (depth == 0) return;
  std::vector<fs::path> inner;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.is_directory(code)) inner.push_back(entry.path());
  }
  std::sort(inner.begin(), inner.end());
  for (const fs::path& f : inner) search(f, depth - 1, found);
}

Json or_null(const std::optional<double>& v) { return v && std::isfinite(*v) ? Json(*v) : Json(); }

}  // namespace

std::vector<StepRecord> read_log(const fs::path& file) {
  std::vector<StepRecord> records;
  std::error_code code;
  if (!fs::exists(file, code)) return records;
  const std::string all = read_file(file);
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = all.find('\n', begin);
    if (end == std::string::npos) break;
    const Json json = Json::parse(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                  all.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) {
      fail(ErrorKind::format, "{}: line {} is no record of a step", file.string(),
           records.size() + 1);
    }
    try {
      records.push_back(record_from(json));
    } catch (const nlohmann::json::exception& e) {
      fail(ErrorKind::format, "{}: line {}: {}", file.string(), records.size() + 1, e.what());
    }
    begin = end + 1;
  }
  return records;
}

bool is_written(const fs::path& log) {
  const int descriptor = ::open(log.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return held;
}

RunSummary summary_of(const fs::path& folder) {
  RunSummary s;
  s.folder = folder;
  s.settings = read_json(folder / "run.json");
  if (!s.settings.is_object())
    fail(ErrorKind::format, "{}: expected an object", (folder / "run.json").string());
  if (const auto it = s.settings.find("model"); it != s.settings.end()) s.model = name_of(*it);
  if (const auto it = s.settings.find("steps"); it != s.settings.end() && it->is_number_integer())
    s.steps = it->get<int64_t>();
  const std::vector<StepRecord> log = read_log(folder / "log.jsonl");
  constexpr size_t kLast = 20;
  double losses = 0, tokens = 0, seconds = 0;
  std::vector<double> norms;
  const size_t from = log.size() > kLast ? log.size() - kLast : 0;
  for (size_t i = 0; i < log.size(); ++i) {
    const StepRecord& r = log[i];
    s.seconds += r.seconds;
    s.losses.add(r.loss);
    s.gradient_norms.add(r.gradient_norm);
    norms.push_back(r.gradient_norm);
    s.spikes += r.spikes.empty() ? 0 : 1;
    if (r.validation_loss) {
      s.validation_loss = r.validation_loss;
      s.best_validation_loss =
          std::min(s.best_validation_loss.value_or(*r.validation_loss), *r.validation_loss);
      s.bits_per_byte = r.bits_per_byte;
    }
    if (i < from) continue;
    losses += r.loss;
    seconds += r.seconds;
    tokens += r.seconds * r.tokens_per_second;
  }
  s.roughness = roughness(norms);
  s.slope = log_slope(norms);
  if (!log.empty()) {
    s.last = log.back();
    s.loss = losses / static_cast<double>(log.size() - from);
    s.tokens_per_second = seconds > 0 ? tokens / seconds : 0;
  }
  std::error_code code;
  if (is_written(folder / "log.jsonl"))
    s.state = RunState::running;
  else if (s.last && !std::isfinite(s.last->loss))
    s.state = RunState::diverged;
  else if (s.last && s.last->step >= s.steps && fs::exists(folder / "model/config.json", code))
    s.state = RunState::finished;
  return s;
}

std::vector<fs::path> runs_in(const fs::path& folder) {
  std::error_code code;
  if (!fs::is_directory(folder, code)) fail(ErrorKind::io, "{}: is no folder", folder.string());
  constexpr int kDepth = 4;
  std::vector<fs::path> found;
  search(folder, kDepth, found);
  return found;
}

Json to_json(const RunSummary& s) {
  const auto scores = [](const SpikeMonitor& monitor) {
    Json json = Json::object();
    for (int r = 0; r < kSpikeRules; ++r) {
      const auto rule = static_cast<SpikeRule>(r);
      json[enum_name(rule)] = monitor.score(rule);
    }
    return json;
  };
  return {{"folder", s.folder.string()},
          {"state", enum_name(s.state)},
          {"model", s.model},
          {"steps", s.steps},
          {"steps_done", s.last ? s.last->step : 0},
          {"tokens", s.last ? s.last->tokens : 0},
          {"loss", s.last ? or_null(s.loss) : Json()},
          {"validation_loss", or_null(s.validation_loss)},
          {"best_validation_loss", or_null(s.best_validation_loss)},
          {"bits_per_byte", or_null(s.bits_per_byte)},
          {"spikes", s.spikes},
          {"stability",
           {{"loss", scores(s.losses)},
            {"gradient_norm", scores(s.gradient_norms)},
            {"roughness", s.roughness},
            {"slope", s.slope}}},
          {"tokens_per_second", s.tokens_per_second},
          {"seconds", s.seconds}};
}

}  // namespace ashlar
