// What DeepSeek-V2, Kimi K2 and GLM-4.7-Flash take from DeepSeek-V3.
#pragma once

#include "families/decoder.h"

namespace ashlar::deepseek_v3 {

void visit(FieldVisitor& v, Fields& f);
void names(Names& n, const Fields& f);

}  // namespace ashlar::deepseek_v3
