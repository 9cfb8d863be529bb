// Keys of multipliers: of scores, embedding, residual stream and logits.
#include <cmath>

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar {

void visit_score_scale(FieldVisitor& v, Fields& f, std::string_view config, std::string_view gguf,
                       std::optional<double> otherwise) {
  if (f.head_dim < 1) return;  // refused later
  const double fallback = 1 / std::sqrt(static_cast<double>(f.head_dim));
  double scale = f.attention.query_scalar > 0 ? rounded(1 / std::sqrt(f.attention.query_scalar), 14)
                                              : fallback;
  if (v.reading() || v.gguf() || otherwise || scale != fallback)
    v(scale, config, gguf, otherwise.value_or(fallback), fallback);
  if (!v.reading()) return;
  if (!(scale > 0)) {
    fail(ErrorKind::format, "{}: {}: expected a positive number, found {}", v.where(),
         v.gguf() ? gguf : config, scale);
  }
  // GGUF keeps 32 bits of it.
  f.attention.query_scalar = std::abs(scale / fallback - 1) < 1e-6 ? 0 : 1 / (scale * scale);
}

void visit_query_scalar(FieldVisitor& v, Fields& f, int64_t layers_of_27b) {
  if (!v.gguf()) {
    if (!v.reading()) return v.write_whole("query_pre_attn_scalar", f.attention.query_scalar);
    v(f.attention.query_scalar, "query_pre_attn_scalar", "", 256.0);
    return expect_positive(v, f.attention.query_scalar);
  }
  // Readers know the models of 27B by their layers, and that their scale is by d_model / heads.
  const int64_t implied =
      f.layers == layers_of_27b && f.heads > 0 ? f.d_model / f.heads : f.head_dim;
  if (v.reading() || f.attention.query_scalar != static_cast<double>(implied))
    v(f.attention.query_scalar, "", "attention.query_scalar", static_cast<double>(implied));
  expect_positive(v, f.attention.query_scalar);
}

void visit_multipliers(FieldVisitor& v, Fields& f) {
  v(f.embedding_scale, "embedding_multiplier", "embedding_scale", 1.0);
  v(f.residual_scale, "residual_multiplier", "residual_scale", 1.0);
  visit_score_scale(v, f, "attention_multiplier", "attention.scale", 1);
  double divisor = f.logit_scale == 0 ? 0 : rounded(1 / f.logit_scale, 14);
  v(divisor, "logits_scaling", "logit_scale", 1.0);
  if (divisor == 0) {
    fail(ErrorKind::format, "{}: logits_scaling (logit_scale): expected a divisor, found 0",
         v.where());
  }
  f.logit_scale = 1 / divisor;
  // Files of the dense Granite 4 speak of state spaces, of which this architecture has no layer.
  v.ignore({"ssm.conv_kernel", "ssm.state_size", "ssm.group_count", "ssm.inner_size",
            "ssm.time_step_rank"});
}

}  // namespace ashlar
