// Ids: places in a list that only that list takes, so that a value's cannot index parameters.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ashlar {

/// A place in a list of one kind of thing; Tag tells the kinds apart. By default: none.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(size_t index) : number_(static_cast<int32_t>(index)) {}
  constexpr bool exists() const { return number_ >= 0; }
  constexpr size_t index() const { return static_cast<size_t>(number_); }
  constexpr auto operator<=>(const Id&) const = default;

 private:
  int32_t number_ = -1;
};

/// A vector indexed by ids of one kind.
template <class I, class T>
class IdVector : public std::vector<T> {
 public:
  using std::vector<T>::vector;
  IdVector() = default;
  decltype(auto) operator[](I id) { return std::vector<T>::operator[](id.index()); }
  decltype(auto) operator[](I id) const { return std::vector<T>::operator[](id.index()); }
  /// Adds to the end; the id of what was added.
  I add(T value) {
    this->push_back(std::move(value));
    return I(this->size() - 1);
  }

  /// for (const ValueId v : values.ids())
  struct Ids {
    struct Iterator {
      size_t at;
      I operator*() const { return I(at); }
      Iterator& operator++() {
        ++at;
        return *this;
      }
      bool operator==(const Iterator&) const = default;
    };
    size_t count;
    Iterator begin() const { return {0}; }
    Iterator end() const { return {count}; }
  };
  Ids ids() const { return {this->size()}; }
};

}  // namespace ashlar
