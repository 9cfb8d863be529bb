// Forms by tokens, as the kernel table states them.
#include "plan/product_forms.h"

#include <algorithm>

#include "base/error.h"
#include "base/round_up.h"

namespace ashlar {

ProductForms::ProductForms(const kernels::Table& table, Format weight, bool f32_activations,
                           bool packed) {
  for (kernels::ProductForm form : table.product_forms(weight)) {
    if (form.packing != kernels::Packing::rows) {
      // Panels are laid out for the rows that their form takes.
      const bool rounds = form.activation != kernels::Activation::f32;
      if (!packed || (f32_activations && rounds)) continue;
    }
    if (f32_activations) form.activation = kernels::Activation::f32;
    forms_.push_back(form);
  }
  ASHLAR_ASSERT(!forms_.empty() && forms_.front().tokens == 1, "one token has a form");
}

const kernels::ProductForm& ProductForms::at(int64_t tokens) const {
  size_t i = forms_.size() - 1;
  while (i > 0 && forms_[i].tokens > tokens) --i;
  return forms_[i];
}

const kernels::ProductForm& ProductForms::alike() const {
  for (const kernels::ProductForm& form : forms_)
    if (form.packing == kernels::Packing::panels) return form;
  return forms_.front();
}

bool ProductForms::has(kernels::Packing packing) const {
  return std::any_of(forms_.begin(), forms_.end(),
                     [&](const kernels::ProductForm& form) { return form.packing == packing; });
}

bool ProductForms::rounds() const {
  return std::any_of(forms_.begin(), forms_.end(), [](const kernels::ProductForm& form) {
    return form.activation != kernels::Activation::f32;
  });
}

bool ProductForms::grouped() const {
  return std::any_of(forms_.begin(), forms_.end(), [](const kernels::ProductForm& form) {
    return form.activation == kernels::Activation::tiles;
  });
}

ProductForms ProductForms::ungrouped() const {
  ProductForms same = *this;
  for (kernels::ProductForm& form : same.forms_)
    if (form.activation == kernels::Activation::tiles) form.activation = kernels::Activation::bf16;
  return same;
}

ProductForms ProductForms::of_experts(int64_t chosen, int64_t experts) const {
  ProductForms all = ungrouped();
  for (kernels::ProductForm& form : all.forms_)
    if (form.tokens > 1) form.tokens = blocks_of(form.tokens * experts, chosen);
  return all;
}

int64_t ProductForms::row_bytes(const kernels::Table& table, int64_t cols, bool also_f32) const {
  int64_t bytes = 0;
  for (const kernels::ProductForm& form : forms_) {
    if (also_f32 || form.activation != kernels::Activation::f32)
      bytes = std::max(bytes, table.activation_bytes(form.activation, cols));
  }
  return round_up(bytes, 64);
}

bool same_inputs(const ProductForms& a, const ProductForms& b) {
  const auto follows = [](const ProductForms& one, const ProductForms& other) {
    return std::all_of(one.forms_.begin(), one.forms_.end(), [&](const kernels::ProductForm& form) {
      return other.activation(form.tokens) == form.activation;
    });
  };
  return follows(a, b) && follows(b, a);
}

}  // namespace ashlar
