// Inputs on which any op can be run: numbers from a hash, batches, and an op that stands for a
// value.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/builder.h"
#include "graph/evaluate.h"

namespace ashlar::testing {

/// A number in [-1, 1) that depends on nothing but the three keys.
inline double hashed(uint64_t seed, uint64_t row, uint64_t column) {
  uint64_t h =
      seed * 0x9E3779B97F4A7C15u + row * 0xBF58476D1CE4E5B9u + column * 0x94D049BB133111EBu;
  for (int i = 0; i < 3; ++i) {
    h ^= h >> 31;
    h *= 0xD6E8FEB86659FD93u;
  }
  return static_cast<double>(h >> 11) * 0x1p-52 - 1;
}

/// Values of an input of this type. Rows of tokens depend on (sequence, position) only, so that the
/// same token has the same numbers in every batch that holds it. Indices are below 8 and differ
/// within a row.
template <class F>
Array<F> filled(const Type& type, const TokenBatch& batch, uint64_t seed) {
  Array<F> a;
  for (const Axis& axis : type.axes)
    a.sizes.push_back(axis.size == kTokensSize ? batch.size() : axis.size);
  const auto n = static_cast<uint64_t>(type.feature_count());
  const uint64_t rows = type.per_token() ? static_cast<uint64_t>(batch.size()) : 1;
  for (uint64_t t = 0; t < rows; ++t) {
    const uint64_t row = type.per_token() ? 1000u * static_cast<uint64_t>(batch.sequences[t] + 1) +
                                                static_cast<uint64_t>(batch.positions[t])
                                          : 0;
    for (uint64_t i = 0; i < n; ++i) {
      if (type.kind == Kind::real)
        a.values.push_back(F(hashed(seed, row, i)));
      else
        a.indices.push_back(static_cast<int64_t>((row + 3 * i) % 8));
    }
  }
  return a;
}

/// What is given with the tokens of a batch: by sequence and position, as filled() does.
inline void give(TokenBatch& b) {
  for (size_t t = 0; t < b.tokens.size(); ++t) {
    for (uint64_t i = 0; i < 6; ++i)
      b.given["hidden"].push_back(hashed(
          77,
          1000u * static_cast<uint64_t>(b.sequences[t] + 1) + static_cast<uint64_t>(b.positions[t]),
          i));
  }
}

/// A batch with one run of tokens per sequence; the runs are dealt out in turns when `interleaved`.
inline TokenBatch batch_of(const Workload& load, bool interleaved = false) {
  TokenBatch b;
  std::vector<int64_t> done(load.runs.size(), 0);
  const auto push = [&](size_t s) {
    const int64_t position = load.runs[s].first + done[s]++;
    b.tokens.push_back(static_cast<int32_t>((position * 7 + static_cast<int64_t>(s) * 3) % 16));
    b.positions.push_back(static_cast<int32_t>(position));
    b.sequences.push_back(static_cast<int32_t>(s));
  };
  if (!interleaved) {
    for (size_t s = 0; s < load.runs.size(); ++s) {
      while (done[s] < load.runs[s].count) push(s);
    }
    give(b);
    return b;
  }
  for (bool any = true; any;) {
    any = false;
    for (size_t s = 0; s < load.runs.size(); ++s) {
      if (done[s] == load.runs[s].count) continue;
      push(s);
      any = true;
    }
  }
  give(b);
  return b;
}

/// Runs the plain-loop meaning of a primitive op.
template <class F>
Out<F> run(const Op& op, const std::vector<Type>& types, const std::vector<Array<F>>& inputs,
           const TokenBatch& batch) {
  In<F> in{batch, {}};
  for (const Array<F>& a : inputs) in.arrays.push_back(&a);
  Out<F> out;
  for (const Type& type : op.types(types)) {
    Array<F> a;
    for (const Axis& axis : type.axes)
      a.sizes.push_back(axis.size == kTokensSize ? batch.size() : axis.size);
    if (type.kind == Kind::real)
      a.values.assign(static_cast<size_t>(a.elements()), F(0));
    else
      a.indices.assign(static_cast<size_t>(a.elements()), 0);
    out.push_back(std::move(a));
  }
  op.meaning(in, out);
  return out;
}

template <class F>
std::vector<Array<F>> inputs_of(const std::vector<Type>& types, const TokenBatch& batch) {
  std::vector<Array<F>> inputs;
  for (size_t i = 0; i < types.size(); ++i) inputs.push_back(filled<F>(types[i], batch, i + 1));
  return inputs;
}

/// Stands for a per-token input of the op under test, so that composites can be put into a graph.
/// Its numbers are filled(type, batch, seed), or `given` where a test has its own.
class Placeholder final : public Op::Interface {
 public:
  using Given = std::shared_ptr<const Array<double>>;
  Placeholder(Type type, uint64_t seed, Given given)
      : type_(std::move(type)), seed_(seed), given_(std::move(given)) {}
  static Op make(Type type, uint64_t seed, Given given) {
    return Op(std::shared_ptr<const Op::Interface>(
        std::make_shared<Placeholder>(std::move(type), seed, std::move(given))));
  }

  const OpDoc& doc() const override {
    static constexpr OpDoc kDoc{"placeholder", "x", "", "x", ""};
    return kDoc;
  }
  std::vector<Attribute> attributes() const override { return {}; }
  std::vector<Type> types(std::span<const Type>) const override { return {type_}; }
  int64_t flops(std::span<const Type>, const Workload&) const override { return 0; }
  bool composite() const override { return false; }
  std::vector<Value> expand(Builder&, std::span<const Value>) const override { return {}; }
  bool has_derivative() const override { return true; }
  std::vector<Value> derivative(Builder&, std::span<const Value>, std::span<const Value>,
                                std::span<const Value>) const override {
    return {};
  }
  void meaning(const In<float>& in, Out<float>& out) const override { fill(in, out); }
  void meaning(const In<double>& in, Out<double>& out) const override { fill(in, out); }
  void meaning(const In<Counted>& in, Out<Counted>& out) const override { fill(in, out); }
  const std::type_info& type() const override { return typeid(Placeholder); }
  const void* get() const override { return this; }

 private:
  template <class F>
  void fill(const In<F>& in, Out<F>& out) const {
    if (!given_) {
      out[0] = filled<F>(type_, in.batch, seed_);
      return;
    }
    out[0].indices = given_->indices;
    out[0].values.clear();
    for (const double v : given_->values) out[0].values.push_back(F(v));
  }
  Type type_;
  uint64_t seed_;
  Given given_;
};

/// A graph that holds just this op: token inputs are placeholders, the others parameters "p0",
/// "p1". Its output is the op's result number `result`.
inline Graph graph_around(const Op& op, const std::vector<Type>& types, size_t result = 0,
                          const std::vector<Placeholder::Given>& given = {}) {
  Builder b;
  std::vector<Value> in;
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i].per_token()) {
      in.push_back(
          b.add1(Placeholder::make(types[i], i + 1, given.empty() ? nullptr : given[i]), {}));
    } else {
      in.push_back(b.param("p" + std::to_string(i), types[i].axes, Role::projection, 0));
    }
  }
  return b.finish(b.add(op, in, "op")[result]);
}

/// Parameters of graph_around: the same numbers that inputs_of gives.
template <class F>
class Parameters {
 public:
  const Array<F>& operator()(const Param& p) {
    auto& a = made_[p.name];
    if (a.sizes.empty()) {
      const auto index = static_cast<uint64_t>(std::stoi(p.name.substr(1)));
      a = filled<F>({Kind::real, p.axes}, TokenBatch{}, index + 1);
    }
    return a;
  }

 private:
  std::map<std::string, Array<F>> made_;
};

}  // namespace ashlar::testing
