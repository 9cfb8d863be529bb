// A view whose address suits its format: files may place tensors at any byte.
#pragma once

#include "tensor/tensor.h"

namespace ashlar {

/// `tensor` itself, or a copy where its numbers would be read at an address the CPU does not
/// promise to read.
Tensor aligned(const Tensor& tensor);

}  // namespace ashlar
