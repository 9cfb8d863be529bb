// Report: a set of models as one self-contained page, with a table, diagrams, plots and what their
// structure says.
//
//   std::vector<ashlar::Blueprint> models;
//   for (const std::string& name : ashlar::report_models())
//     models.push_back(ashlar::Blueprint::load(name));
//   std::ofstream("report.html") << ashlar::report(models);
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ashlar/compare.h"

namespace ashlar {

struct ReportOptions {
  CompareOptions compare;
  std::string title;  // empty: says how many architectures there are
  /// The page of a comparison: differences first, diagrams side by side.
  bool comparison = false;
};

/// The released model that stands for each family in the blueprint folder: of its blueprints, the
/// one with the most parameters; models without a family stand for themselves. Ordered by size.
std::vector<std::string> report_models();

}  // namespace ashlar

namespace ASHLAR_V1 {

/// HTML of the page: no other file, script or address is needed to show it. Throws Error(invalid)
/// for an empty list, for one model where a comparison is asked for, and as compare() does.
std::string report(std::span<const Blueprint> blueprints, const ReportOptions& options = {});

}  // namespace ASHLAR_V1
