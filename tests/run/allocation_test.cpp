// A step allocates nothing: counted by replacing the program's operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "support/comparison.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0};

void* allocate_or_null(std::size_t bytes) noexcept {
  if (counting) ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}

void* allocate(std::size_t bytes) {
  if (void* p = allocate_or_null(bytes)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
// The forms that do not throw as well (std::stable_sort asks for its buffer so): a pair of which
// one half is the sanitizers' own would be a mismatch to them.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate_or_null(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate_or_null(bytes);
}
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace ashlar {
namespace {

TEST(Engine, AStepAllocatesNothing) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Graph graph = graph_of(bp);
    const Weights weights = testing::random_weights(graph);
    Engine engine(graph, weights, {.threads = 2, .context = 32, .sequences = 3, .chunk = 8});
    std::vector<SequenceId> open;
    for (int i = 0; i < 3; ++i) open.push_back(*engine.open());
    const auto ids = testing::some_tokens(20, bp.embedding.vocab);
    const std::vector<ashlar::Run> prompts{
        {open[0], ids, ashlar::Run::Logits::last},
        {open[1], std::span(ids).first(3), ashlar::Run::Logits::last},
        {open[2], std::span(ids).first(9), ashlar::Run::Logits::none}};
    const std::span<const TokenId> one(ids.data(), 1);
    const std::vector<ashlar::Run> decode{{open[0], one}, {open[1], one}, {open[2], one}};
    allocations = 0;
    counting = true;
    engine.step(prompts);
    for (int i = 0; i < 5; ++i) engine.step(decode);
    if (engine.can_truncate(open[0], 24)) engine.truncate(open[0], 24);
    engine.step(decode);
    counting = false;
    EXPECT_EQ(allocations.load(), 0) << bp.name;
  }
}

}  // namespace
}  // namespace ashlar
