// Chooses between a folder and what is compiled in.
#include "embedded/data.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"
#include "embedded/files.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMost = size_t{1} << 24;  // bytes of a file

fs::path& chosen_folder() {
  static fs::path folder;
  return folder;
}

/// The folder that a kind is read from; nothing: the program.
std::optional<fs::path> folder_of(std::string_view kind) {
  std::string variable = "ASHLAR_";
  for (const char c : kind)
    variable.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  // $ASHLAR_CARDS names a file (blueprint/card.h).
  const char* own = kind == "cards" ? nullptr : std::getenv(variable.c_str());
  if (own != nullptr) return own;
  const char* of_all = std::getenv("ASHLAR_DATA");
  const fs::path all = !chosen_folder().empty() ? chosen_folder()
                       : of_all != nullptr      ? fs::path(of_all)
                                                : fs::path();
  std::error_code code;
  if (!all.empty() && fs::is_directory(all / kind, code)) return all / kind;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> data_names(std::string_view kind) {
  std::vector<std::string> names;
  if (const auto folder = folder_of(kind)) {
    for (const fs::path& file : listed(*folder, ".json")) names.push_back(file.stem().string());
  } else {
    for (const embedded::File& file : embedded::files()) {
      if (file.path.starts_with(kind) && file.path.rfind('/') == kind.size())
        names.push_back(fs::path(file.path).stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<DataFile> find_data(std::string_view kind, std::string_view name) {
  if (name.find('/') != std::string_view::npos) return std::nullopt;
  const std::string file = std::string(name) + ".json";
  if (const auto folder = folder_of(kind)) {
    const fs::path path = *folder / file;
    std::error_code code;
    if (!fs::is_regular_file(path, code)) return std::nullopt;
    return DataFile{read_file(path, kMost), path.string()};
  }
  const std::string path = std::string(kind) + "/" + file;
  for (const embedded::File& e : embedded::files()) {
    if (e.path == path) return DataFile{std::string(e.text), path};
  }
  return std::nullopt;
}

void set_data_folder(const fs::path& folder) {
  std::error_code code;
  if (!folder.empty() && !fs::is_directory(folder, code))
    fail(ErrorKind::io, "{}: is no folder", folder.string());
  chosen_folder() = folder;
}

}  // namespace ashlar
