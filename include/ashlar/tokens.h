// Token ids, and how text becomes them.
#pragma once

#include <cstdint>

namespace ashlar {

using TokenId = int32_t;

struct EncodeOptions {
  bool add_special = true;    // BOS and EOS as the file's post-processor says
  bool parse_special = true;  // special tokens written in the text are recognised; if false, text
                              // can never become a control token (markers such as <think> included)
};

}  // namespace ashlar
