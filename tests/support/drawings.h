// Blueprints to draw, and their drawings.
#pragma once

#include <string>
#include <vector>

#include "readings/draw/draw.h"
#include "support/samples.h"
#include "support/xml.h"

namespace ashlar::testing {

/// The samples and all released models.
inline std::vector<Blueprint> all_blueprints() {
  std::vector<Blueprint> all = sample_blueprints();
  for (const std::string& name : blueprint_names()) all.push_back(load_blueprint(name));
  return all;
}

inline std::string svg_of(const Blueprint& bp, bool tall = false) {
  return draw({&bp, 1}, {.tall = tall});
}

inline std::vector<Element> elements_of(const std::string& svg) { return XmlReader(svg).read(); }

}  // namespace ashlar::testing
