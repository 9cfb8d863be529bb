// Every tensor has its hash in state.json, which takes its place by a rename when all the rest is
// on the disk.
#include "train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "formats/safetensors.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kState = "state.json";
constexpr std::string_view kPrefix = "step-";
constexpr int kFormat = 1;

/// A folder's entries are on the disk when the folder is.
void flush_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::string file_of(const std::string& name) { return name + ".safetensors"; }

std::span<const std::byte> bytes_of(const Tensor& t) {
  return {t.data, static_cast<size_t>(t.bytes())};
}

}  // namespace

int64_t step_of(const fs::path& checkpoint) {
  return std::strtoll(checkpoint.filename().string().substr(kPrefix.size()).c_str(), nullptr, 10);
}

fs::path write_checkpoint(const fs::path& folder, Trainer& trainer, const Params& params,
                          const Json& about) {
  const fs::path to = folder / fmt::format("{}{:08}", kPrefix, trainer.steps_done());
  std::error_code code;
  fs::remove(to / kState, code);
  fs::create_directories(to, code);
  if (code) fail(ErrorKind::io, "{}: cannot create the folder: {}", to.string(), code.message());
  Json state = {{"format", kFormat}, {"step", trainer.steps_done()}, {"about", about}};
  Json& arrays = state["arrays"];
  try {
    for (const auto& [name, values] : trainer.state()) {
      SafetensorsWriter writer;
      Json& sums = arrays[name];
      for (const auto& [parameter, tensor] : values->tensors(params)) {
        writer.add_tensor(parameter, tensor);
        sums[parameter] = hex(xxh64(bytes_of(tensor)));
      }
      writer.write_single(to / file_of(name));
    }
    write_file(to / kState, state.dump(1) + "\n");
  } catch (...) {
    fs::remove_all(to, code);  // it would take the room that is missing
    throw;
  }
  flush_folder(to);
  flush_folder(folder);
  return to;
}

Json read_checkpoint(const fs::path& checkpoint, Trainer& trainer, const Params& params) {
  const std::string where = (checkpoint / kState).string();
  const Json state = read_json(checkpoint / kState);
  try {
    if (state.at("format").get<int>() != kFormat)
      fail(ErrorKind::format, "{}: is of another version of Ashlar", where);
    for (const auto& [name, values] : trainer.state()) {
      const Json& sums = state.at("arrays").at(name);
      const auto file = SafetensorsFolder::open(checkpoint / file_of(name));
      Weights weights;
      for (const Param& p : params) {
        const Tensor tensor = file->tensor(p.name);
        if (hex(xxh64(bytes_of(tensor))) != sums.at(p.name).get<std::string>()) {
          fail(ErrorKind::format, "{}: {} is damaged: its checksum is not the one written",
               (checkpoint / file_of(name)).string(), p.name);
        }
        weights[p.name] = tensor;
      }
      values->take(params, weights);
    }
    trainer.set_steps_done(state.at("step").get<int64_t>());
    return state.at("about");
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::format, "{}: is no state of a checkpoint: {}", where, e.what());
  }
}

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.path().filename().string().starts_with(kPrefix) &&
        fs::exists(entry.path() / kState, code))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(),
            [](const fs::path& a, const fs::path& b) { return step_of(a) > step_of(b); });
  return found;
}

void remove_old_checkpoints(const fs::path& folder, int64_t keep, int64_t keep_every) {
  std::error_code ignored;
  const std::vector<fs::path> complete = checkpoints_in(folder);
  for (size_t i = static_cast<size_t>(std::max<int64_t>(keep, 1)); i < complete.size(); ++i) {
    if (keep_every > 0 && step_of(complete[i]) % keep_every == 0) continue;
    fs::remove(complete[i] / kState, ignored);  // from here on it is none
    fs::remove_all(complete[i], ignored);
  }
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const fs::path& path = entry.path();
    if (path.filename().string().starts_with(kPrefix) && !fs::exists(path / kState, ignored))
      fs::remove_all(path, ignored);
  }
}

}  // namespace ashlar
