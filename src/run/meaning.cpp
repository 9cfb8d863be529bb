// Ops without a lowering of their own: their plain loops, over arrays made for the occasion.
#include <cstring>

#include "run/frame.h"

namespace ashlar {

int64_t tasks(const Frame&, const MeaningStep&, RowSet) { return 1; }

void run_task(const Frame& f, const MeaningStep& s, RowSet set, int64_t, std::byte*) {
  const int64_t rows = f.batch.rows(set);
  TokenBatch batch;
  for (int64_t r = 0; r < rows; ++r) {
    const auto t = static_cast<size_t>(f.batch.token(set, r));
    batch.tokens.push_back(f.batch.tokens[t]);
    batch.positions.push_back(f.batch.positions[t]);
    batch.sequences.push_back(f.batch.parts[static_cast<size_t>(f.batch.part_of[t])].sequence);
  }
  const auto sized = [&](const Type& type) {
    Array<float> a;
    for (const Axis& axis : type.axes)
      a.sizes.push_back(axis.size == kTokensSize ? rows : axis.size);
    return a;
  };
  std::vector<Array<float>> made(s.in.size());
  In<float> in{batch, {}};
  for (size_t i = 0; i < s.in.size(); ++i) {
    const MeaningStep::Operand& o = s.in[i];
    if (o.param) {
      in.arrays.push_back(o.param.get());
      continue;
    }
    made[i] = sized(o.type);
    const int64_t n = o.type.feature_count(), copies = o.type.per_token() ? rows : 1;
    for (int64_t r = 0; r < copies; ++r) {
      if (o.type.kind == Kind::real) {
        const float* x = f.floats(o.buffer, r);
        made[i].values.insert(made[i].values.end(), x, x + n);
      } else {
        const int32_t* x = f.indices(o.buffer, r);
        made[i].indices.insert(made[i].indices.end(), x, x + n);
      }
    }
    in.arrays.push_back(&made[i]);
  }
  Out<float> out;
  for (const MeaningStep::Operand& o : s.out) {
    out.push_back(sized(o.type));
    const auto n = static_cast<size_t>(out.back().elements());
    if (o.type.kind == Kind::real)
      out.back().values.assign(n, 0.0f);
    else
      out.back().indices.assign(n, 0);
  }
  s.op.meaning(in, out);
  for (size_t k = 0; k < s.out.size(); ++k) {
    const MeaningStep::Operand& o = s.out[k];
    const int64_t n = o.type.feature_count(), copies = o.type.per_token() ? rows : 1;
    for (int64_t r = 0; r < copies; ++r) {
      if (o.type.kind == Kind::real) {
        std::memcpy(f.floats(o.buffer, r), out[k].values.data() + r * n,
                    static_cast<size_t>(n) * 4);
      } else {
        for (int64_t i = 0; i < n; ++i)
          f.indices(o.buffer, r)[i] =
              static_cast<int32_t>(out[k].indices[static_cast<size_t>(r * n + i)]);
      }
    }
  }
}

}  // namespace ashlar
