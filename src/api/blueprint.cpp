// The public blueprint: a handle of the library's.
#include "ashlar/blueprint.h"

#include <filesystem>

#include "api/data.h"
#include "ashlar/data.h"
#include "embedded/data.h"
#include "model/model.h"

#ifndef ASHLAR_VERSION
#error "the build says the version"
#endif

namespace ashlar::v1 {

void use_data_folder(const std::string& folder) { set_data_folder(folder); }

std::string_view version() { return ASHLAR_VERSION; }

Blueprint handle_of(ashlar::Blueprint blueprint) {
  return Blueprint(std::make_shared<const Blueprint::Data>(Blueprint::Data{std::move(blueprint)}));
}

Blueprint Blueprint::load(const std::string& source) {
  ashlar::Blueprint blueprint = load_model(source, {.need_weights = false}).blueprint;
  if (blueprint.name.empty()) blueprint.name = std::filesystem::path(source).stem().string();
  return handle_of(std::move(blueprint));
}

Blueprint Blueprint::from_json(std::string_view json, std::string_view where) {
  return handle_of(blueprint_from_json(json, where));
}

std::vector<std::string> Blueprint::names() { return blueprint_names(); }

std::string Blueprint::name() const { return data_->blueprint.name; }
std::string Blueprint::family() const { return data_->blueprint.family; }
int64_t Blueprint::vocab() const { return data_->blueprint.embedding.vocab; }
int64_t Blueprint::width() const { return data_->blueprint.embedding.width; }
int64_t Blueprint::layers() const { return static_cast<int64_t>(data_->blueprint.blocks.size()); }
int64_t Blueprint::context() const { return data_->blueprint.context; }
std::string Blueprint::json() const { return to_json(data_->blueprint); }

std::vector<Difference> Blueprint::differences(const Blueprint& other) const {
  return diff(data_->blueprint, other.data_->blueprint);
}

bool Blueprint::operator==(const Blueprint& other) const {
  return data_->blueprint == other.data_->blueprint;
}

}  // namespace ashlar::v1
