// Public readings: the library's, of the blueprint or model behind a handle.
#include "ashlar/readings.h"

#include "api/data.h"
#include "base/json.h"
#include "measure/probe.h"
#include "readings/claims/claims.h"
#include "readings/compare/compare.h"
#include "readings/count/count.h"
#include "readings/draw/draw.h"
#include "readings/draw/draw_graph.h"
#include "readings/explain/explain.h"
#include "readings/predict/predict.h"
#include "readings/report/report.h"
#include "transform/differentiate.h"

namespace ashlar::v1 {
namespace {

std::vector<ashlar::Blueprint> behind(std::span<const Blueprint> handles) {
  std::vector<ashlar::Blueprint> blueprints;
  for (const Blueprint& b : handles) blueprints.push_back(b.data().blueprint);
  return blueprints;
}

/// Options with the formats of the model's weights, where it has some.
template <class Options>
Options with_formats(Options options, const Model& model) {
  if (!model.has_weights()) return options;
  options.weights = "as in the file";
  options.formats = formats_of(model.data()->model.weights);
  return options;
}

}  // namespace

Count count(const Blueprint& blueprint, const CountOptions& options) {
  return ashlar::count(blueprint.data().blueprint, options);
}
Count count(const Model& model, const CountOptions& options) {
  return count(model.blueprint(), with_formats(options, model));
}

Prediction predict(const Blueprint& blueprint, const Machine& machine,
                   const PredictOptions& options) {
  return ashlar::predict(blueprint.data().blueprint, machine, options);
}
Prediction predict(const Model& model, const Machine& machine, const PredictOptions& options) {
  return predict(model.blueprint(), machine, with_formats(options, model));
}

Machine this_machine() {
  std::error_code code;
  return std::filesystem::is_regular_file(probed_machine_file(), code)
             ? load_machine(probed_machine_file().string())
             : quick_probe();
}

Comparison compare(std::span<const Blueprint> blueprints, const CompareOptions& options) {
  return ashlar::compare(behind(blueprints), options);
}

Explanation explain(const Blueprint& blueprint, std::string_view scope,
                    const ExplainOptions& options) {
  return ashlar::explain(blueprint.data().blueprint, scope, options);
}

std::string draw(const Blueprint& blueprint, const DrawOptions& options) {
  return draw({&blueprint, 1}, options);
}
std::string draw(std::span<const Blueprint> blueprints, const DrawOptions& options) {
  return ashlar::draw(behind(blueprints), options);
}

std::string draw_graph(const Blueprint& blueprint, DrawnGraph graph, const DrawOptions& options,
                       bool mtp) {
  const Graph forward = trained_graph(blueprint.data().blueprint, mtp);
  if (graph == DrawnGraph::forward) return ashlar::draw_graph(forward, options);
  return ashlar::draw_graph(
      differentiate(forward, {.recompute_layers = graph == DrawnGraph::recomputed,
                              .losses = {.mtp = mtp ? 1.0 : 0.0}}),
      options);
}

std::string report(std::span<const Blueprint> blueprints, const ReportOptions& options) {
  return ashlar::report(behind(blueprints), options);
}

std::vector<std::string> claim_ids() { return ashlar::claim_ids(); }

std::vector<Claim> settle_claims(const std::vector<std::string>& ids) {
  std::vector<Claim> claims;
  for (const ashlar::Claim& c : ashlar::settle_claims(ids)) {
    claims.push_back({.id = c.id,
                      .statement = c.statement,
                      .source = c.source,
                      .verdict = c.verdict,
                      .condition = c.condition});
    for (const auto& [name, value] : c.found.items())
      claims.back().found.emplace_back(name, value.dump());
  }
  return claims;
}

}  // namespace ashlar::v1
