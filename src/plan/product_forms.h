// The forms that a product of a plan may take when it runs: which one depends on its tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/table.h"

namespace ashlar {

/// What a kernel table states for products with one weight, as a plan keeps it.
class ProductForms {
 public:
  ProductForms() = default;
  /// With `f32_activations` every form takes float32 rows; without `packed` weights lie in rows.
  ProductForms(const kernels::Table& table, Format weight, bool f32_activations,
               bool packed = false);
  /// The same for products that gather their rows: none takes them in groups.
  ProductForms ungrouped() const;
  /// Of products with each of `experts` weights, of which every token chooses some: the form follows
  /// the tokens that an expert gets on the average.
  ProductForms of_experts(int64_t chosen, int64_t experts) const;

  /// The form of a product of so many tokens.
  const kernels::ProductForm& at(int64_t tokens) const;
  kernels::Activation activation(int64_t tokens) const { return at(tokens).activation; }
  /// The form that gives a token the same sums, to the bit, however many there are: panels where
  /// weights are kept in them, else that of one token (tokens_alike says of how many).
  const kernels::ProductForm& alike() const;
  bool has(kernels::Packing packing) const;  // any of them
  bool rounds() const;                       // does any form take rounded rows?
  bool grouped() const;                      // does any form take rows in groups?
  /// Bytes of an input row prepared for any of the forms; 0 if all read float32 rows as they are
  /// and `also_f32` does not ask for room for those.
  int64_t row_bytes(const kernels::Table& table, int64_t cols, bool also_f32) const;

  /// Whether products of both can read the same prepared rows, however many tokens there are.
  friend bool same_inputs(const ProductForms& a, const ProductForms& b);

 private:
  std::vector<kernels::ProductForm> forms_;  // by rising tokens
};

}  // namespace ashlar
