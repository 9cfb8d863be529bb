// When buffers are alive, and where they lie in the arena.
#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/overloaded.h"
#include "base/round_up.h"
#include "plan/plan.h"

namespace ashlar {
namespace {

void collect(const RowOperation& operation, std::vector<BufferId>& ids) {
  const auto add = [&](auto... b) { (ids.push_back(b), ...); };
  std::visit(
      Overloaded{
          [&](const TokenRow& r) { add(r.out); }, [&](const GivenRow& r) { add(r.out); },
          [&](const EmbedRow& r) { add(r.ids, r.out); }, [&](const PositionRow& r) { add(r.out); },
          [&](const SinusoidRow& r) { add(r.out); }, [&](const RotationRow& r) { add(r.out); },
          [&](const RopeRow& r) { add(r.x, r.rotation); },
          [&](const BinaryRow& r) { add(r.a, r.b, r.out); },
          [&](const GatedRow& r) { add(r.gate, r.up, r.out); },
          [&](const StoreRow& r) { add(r.key, r.value); },
          [&](const RouteRow& r) { add(r.logits, r.weights, r.experts); },
          [&](const WeighRow& r) { add(r.weights, r.in, r.out); },
          [&](const CombineRow& r) { add(r.weights, r.slots, r.in, r.out); },
          [&](const auto& r) { add(r.in, r.out); }},
      operation);
}

void collect_written(const RowOperation& operation, std::set<BufferId>& ids) {
  std::visit(Overloaded{[&](const RopeRow& r) { ids.insert(r.x); }, [&](const StoreRow&) {},
                        [&](const RouteRow& r) {
                          ids.insert({r.weights, r.experts});
                        },
                        [&](const auto& r) { ids.insert(r.out); }},
             operation);
}

}  // namespace

std::vector<BufferId> buffers_of(const Step& step) {
  std::vector<BufferId> ids;
  const auto add = [&](auto... b) { (ids.push_back(b), ...); };
  std::visit(Overloaded{[&](const RowStep& s) {
                          for (const RowOperation& o : s.operations) collect(o, ids);
                        },
                        [&](const MatMulStep& s) {
                          add(s.in, s.prepared);
                          for (const auto& p : s.products) add(p.out);
                        },
                        [&](const HeadMatMulStep& s) { add(s.prepared, s.out); },
                        [&](const AttentionStep& s) { add(s.q, s.out); },
                        [&](const RecurrentStep& s) {
                          add(s.out);
                          std::visit(
                              Overloaded{[&](const RecurrentStep::Convolution& r) { add(r.x); },
                                         [&](const RecurrentStep::DeltaRule& r) {
                                           add(r.q, r.k, r.v, r.decay, r.beta);
                                         }},
                              s.rule);
                        },
                        [&](const GroupStep& s) { add(s.experts, s.slots, s.tokens); },
                        [&](const ExpertStep& s) {
                          add(s.prepared, s.rows);
                          for (const auto& p : s.products) add(p.out);
                        },
                        [&](const MeaningStep& s) {
                          for (const auto& o : s.in) add(o.buffer);
                          for (const auto& o : s.out) add(o.buffer);
                        }},
             step.what);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (!ids.empty() && ids.front() == kNoBuffer) ids.erase(ids.begin());
  return ids;
}

void find_chains(Plan& plan) {
  struct Chain {
    std::vector<int32_t> operations;
    std::set<BufferId> buffers;  // that it touches, of those written in the step
  };
  for (Step& step : plan.steps) {
    auto* rows = std::get_if<RowStep>(&step.what);
    if (rows == nullptr) continue;
    std::set<BufferId> written;
    for (const RowOperation& o : rows->operations) collect_written(o, written);
    std::vector<Chain> chains;
    for (size_t i = 0; i < rows->operations.size(); ++i) {
      Chain chain{{static_cast<int32_t>(i)}, {}};
      std::vector<BufferId> ids;
      collect(rows->operations[i], ids);
      for (const BufferId id : ids)
        if (written.contains(id)) chain.buffers.insert(id);
      std::erase_if(chains, [&](Chain& other) {
        const bool apart = std::none_of(other.buffers.begin(), other.buffers.end(),
                                        [&](BufferId id) { return chain.buffers.contains(id); });
        if (apart) return false;
        chain.operations.insert(chain.operations.end(), other.operations.begin(),
                                other.operations.end());
        chain.buffers.merge(other.buffers);
        return true;
      });
      chains.push_back(std::move(chain));
    }
    rows->chains.clear();
    for (Chain& chain : chains) {
      std::sort(chain.operations.begin(), chain.operations.end());
      rows->chains.push_back(std::move(chain.operations));
    }
  }
}

size_t tail_of(const Plan& plan) {
  const auto tail = std::find_if(plan.steps.begin(), plan.steps.end(),
                                 [](const Step& s) { return s.rows == RowSet::wanted; });
  return static_cast<size_t>(tail - plan.steps.begin());
}

void place_buffers(Plan& plan) {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const BufferId id : buffers_of(plan.steps[i])) {
      Buffer& b = plan.buffers[id];
      if (b.first < 0) b.first = static_cast<int32_t>(i);
      b.last = static_cast<int32_t>(i);
    }
  }
  // The tail of a plan with several outputs may run twice (run/lowered.h): what it reads stays.
  const auto steps = static_cast<int32_t>(plan.steps.size());
  const auto tail = static_cast<int32_t>(tail_of(plan));
  for (Buffer& b : plan.buffers)
    if (plan.outputs.size() > 1 && b.first < tail && b.last >= tail) b.last = steps - 1;
  const auto bytes = [&](const Buffer& b) {
    int64_t n = 0;
    const int64_t rows = b.fixed ? 1 : round_up(plan.max_tokens, b.rows_together);
    if (__builtin_mul_overflow(b.row_bytes, rows, &n) || n > (int64_t{1} << 46)) {
      fail(ErrorKind::resource,
           "a step of {} tokens needs more memory than any machine has: choose a smaller chunk",
           plan.max_tokens);
    }
    return n;
  };
  // Largest first, each at the lowest place that is free while it is alive.
  std::vector<Buffer*> order;
  for (Buffer& b : plan.buffers)
    if (b.first >= 0 && b.output < 0) order.push_back(&b);
  std::stable_sort(order.begin(), order.end(),
                   [&](const Buffer* a, const Buffer* b) { return bytes(*a) > bytes(*b); });
  std::vector<const Buffer*> placed;  // by offset
  for (Buffer* next : order) {
    Buffer& b = *next;
    int64_t at = 0;
    for (const Buffer* other : placed) {
      if (other->last < b.first || b.last < other->first) continue;
      if (at + bytes(b) <= other->offset) break;
      at = std::max(at, other->offset + bytes(*other));
    }
    b.offset = at;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &b,
                         [](const Buffer* x, const Buffer* y) { return x->offset < y->offset; }),
        &b);
    plan.arena_bytes = std::max(plan.arena_bytes, at + bytes(b));
  }
}

}  // namespace ashlar
