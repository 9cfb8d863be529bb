// A tensor on its way into a file: nothing that its format cannot hold gets there unsaid.
#pragma once

#include <functional>
#include <string>

#include "model/file_tensors.h"

namespace ashlar {

/// The tensor put together from its pieces in `format`. Throws Error(unsupported), naming the
/// tensor and its largest value, where the format's range ends below it, and where blocks of the
/// format would hide a NaN or an infinity; a plain format keeps those of the source, which `notice`
/// hears.
Tensor checked_tensor(const FileTensor& tensor, Format format,
                      const std::function<void(const std::string&)>& notice);

}  // namespace ashlar
