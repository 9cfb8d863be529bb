// The data that comes with Ashlar: JSON files of the kinds blueprints, machines, claims, cards,
// experiments and experiments/results, compiled into the program, or from a folder instead.
//
// A kind is read from its own folder where the environment names one ($ASHLAR_BLUEPRINTS,
// $ASHLAR_MACHINES, $ASHLAR_CLAIMS), else from the folder of that name in the data folder (given to
// set_data_folder or $ASHLAR_DATA) where there is one, else from the program.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

struct DataFile {
  std::string text;
  std::string where;  // for messages: the path, or "blueprints/qwen3-0.6b.json"
};

/// Names of the files of a kind, without ".json", sorted.
std::vector<std::string> data_names(std::string_view kind);
/// The file <name>.json of a kind; nothing where there is none of that name. Throws Error(io) for
/// one that cannot be read.
std::optional<DataFile> find_data(std::string_view kind, std::string_view name);

/// A folder with a folder for each kind that is not to be taken from the program; empty:
/// $ASHLAR_DATA again. Before anything is read, and not while other threads read. Throws Error(io)
/// where there is no such folder.
void set_data_folder(const std::filesystem::path& folder);

}  // namespace ashlar
