// Names of test cases from names of models.
#pragma once

#include <cctype>
#include <string>

namespace ashlar::testing {

/// `name` with everything but letters and digits as underscores, as names of tests must be.
inline std::string identifier(std::string name) {
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

}  // namespace ashlar::testing
