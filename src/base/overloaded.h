// One visitor out of several lambdas, for std::visit.
#pragma once

namespace ashlar {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
/// clang does not deduce aggregates by itself before version 17.
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace ashlar
