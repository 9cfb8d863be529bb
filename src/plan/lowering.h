// The state of one lowering: values to buffers, nodes to steps. Split over lower*.cpp by kind of
// op.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ops/elementwise.h"
#include "ops/inputs.h"
#include "plan/plan.h"

namespace ashlar {

/// One thing for each row set.
template <class T>
struct PerRowSet {
  T all, wanted;
  T& operator[](RowSet set) { return set == RowSet::all ? all : wanted; }
  const T& operator[](RowSet set) const { return set == RowSet::all ? all : wanted; }
};

/// Can the node become row operations?
bool row_lowering(const Node& node, const Graph& graph);

class Lowering {
 public:
  explicit Lowering(Plan& plan);
  void run();

 private:
  // lower.cpp: the walk over the nodes, buffers, prepared inputs.
  void order_nodes();
  void lower(NodeId node);
  bool lower_fast(NodeId node);  // false: nothing done, the op has no lowering for these inputs
  void lower_meaning(NodeId node);
  void finish_outputs();
  BufferId new_buffer(int64_t row_bytes, bool fixed = false);
  BufferId new_floats(int64_t n) { return new_buffer(n * 4); }
  BufferId new_value(ValueId value);
  BufferId read(const Input& in);  // the buffer in the row set of the node being lowered
  bool last_use(const Input& in) const;
  BufferId output_over(const Input& in);  // the node's output in place of `in`, or a new buffer
  int64_t features(const Input& in) const { return plan_.graph.type(in).feature_count(); }
  Step& add_step(std::string name);
  void add_row(RowOperation operation);
  std::string node_name(NodeId node) const;
  const Node& node() const { return plan_.graph.nodes()[current_]; }
  void set_output(size_t k, BufferId buffer);

  // lower_rows.cpp
  void lower_row(const Node& n);
  int32_t given_index(const Given& op);
  void lower_norm(const Node& n);
  void lower_binary(const Node& n, bool multiply);
  template <class Row>
  void lower_elementwise(const Node& n, Row row);
  void lower_rope(const Node& n, const Rope& op);

  // lower_recurrent.cpp
  bool lower_recurrent(const Node& n);

  // lower_products.cpp
  ProductForms forms(Format weight, bool packed = false) const {
    return {*plan_.table, weight, plan_.options.f32_activations, packed};
  }
  BufferId prepare(BufferId in, const ProductForms& forms, int64_t cols, int64_t count,
                   int64_t in_step, bool always);
  void lower_linears(NodeId node);
  void lower_gated(const Node& n, const Gated& op);
  void lower_activate(const Node& n, const Activate& op);
  void lower_attention(const Node& n, const Attention& op);
  void lower_latent(const Node& n, const LatentAttention& op);
  void lower_experts(const Node& n, const ExpertFfn& op);
  MatMulStep* product_of(BufferId buffer, size_t& product);

  Plan& plan_;
  std::vector<NodeId> order_;  // nodes as they are lowered
  /// Nodes with one input, by the first of them.
  std::map<NodeId, std::vector<NodeId>> linears_;
  IdVector<NodeId, bool> lowered_;
  size_t tail_ = 0;  // place in order_ from which only wanted rows are computed
  NodeId current_;
  RowSet rows_ = RowSet::all;
  bool open_ = false;  // the last step takes further row operations

  // Of each value: its buffer in each row set, and how often nodes still read that.
  PerRowSet<IdVector<ValueId, BufferId>> buffers_;
  PerRowSet<IdVector<ValueId, int32_t>> value_uses_;
  IdVector<BufferId, int32_t> uses_;
  IdVector<ValueId, RowSet> made_in_;
  PerRowSet<std::map<std::string, BufferId>> rotations_;  // by attributes
};

}  // namespace ashlar
