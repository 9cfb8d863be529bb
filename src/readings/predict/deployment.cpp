// Splits over devices, and shares of the limit that are reached.
#include "readings/predict/deployment.h"

#include <algorithm>
#include <cmath>

#include "readings/count/count.h"

namespace ashlar {
namespace {

constexpr double kFastLink = 60e9;          // bytes per second: from here on matrices are shared
constexpr double kNetworkBandwidth = 45e9;  // between hosts: 400 Gb/s, of which nine tenths
constexpr double kNetworkSeconds = 1.5e-5;  // of one exchange over it
constexpr double kActivationBytes = 2;      // a number of an activation that is sent: bfloat16

double row_bytes_of(const Blueprint& bp, int64_t tokens) {
  return static_cast<double>(bp.embedding.width) * static_cast<double>(tokens) * kActivationBytes;
}

}  // namespace

int64_t devices_for(const Machine& machine, double bytes, double each) {
  const double room = machine.usable_bytes() - each;
  if (room <= 0) return 0;
  const double n = std::max(1.0, std::ceil(bytes / room));
  return n > static_cast<double>(kMostDevices) ? 0 : static_cast<int64_t>(n);
}

Machine joined(const Machine& machine, int64_t devices, int64_t at_once) {
  Machine all = machine;
  const auto n = static_cast<double>(devices), k = static_cast<double>(at_once);
  all.memory_bytes *= n;
  all.reserve_bytes = (machine.memory_bytes - machine.usable_bytes()) * n;
  for (Machine::Bandwidth& b : all.read) b.bytes_per_second *= k;
  for (Machine::Rate& r : all.matrix) r.operations_per_second *= k;
  if (devices > 1) all.kernels.reset();  // the engine runs on one machine
  return all;
}

SplitPlan split_over(const Machine& machine, int64_t devices, const Blueprint& bp, int64_t tokens) {
  if (machine.link.bytes_per_second < kFastLink) return pipeline_over(machine, devices, bp, tokens);
  return tensor_over(machine, devices, bp, tokens);
}

SplitPlan tensor_over(const Machine& machine, int64_t devices, const Blueprint& bp,
                      int64_t tokens) {
  SplitPlan split;
  split.tensor = std::min<int64_t>(devices, machine.link.devices);
  split.pipeline = (devices + split.tensor - 1) / split.tensor;
  // Two sums over all devices in each layer (after the mixer and after the feed-forward), in a
  // ring: every device sends its share of the row twice.
  const double n = static_cast<double>(split.tensor);
  const double exchanges = n > 1 ? 2 * static_cast<double>(bp.blocks.size()) : 0;
  split.bytes = exchanges * row_bytes_of(bp, tokens) * 2 * (n - 1) / n;
  split.seconds = exchanges * machine.link.seconds +
                  (exchanges > 0 ? split.bytes / std::max(1.0, machine.link.bytes_per_second) : 0);
  const double hops = static_cast<double>(split.pipeline - 1);
  split.bytes += hops > 0 ? row_bytes_of(bp, tokens) : 0;
  split.seconds += hops * (kNetworkSeconds + row_bytes_of(bp, tokens) / kNetworkBandwidth);
  return split;
}

SplitPlan pipeline_over(const Machine& machine, int64_t devices, const Blueprint& bp,
                        int64_t tokens) {
  SplitPlan split{.tensor = 1, .pipeline = devices};
  const double hops = static_cast<double>(devices - 1);
  split.bytes = hops > 0 ? row_bytes_of(bp, tokens) : 0;
  if (machine.link.bytes_per_second > 0)
    split.seconds =
        hops * (machine.link.seconds + row_bytes_of(bp, tokens) / machine.link.bytes_per_second);
  return split;
}

SplitPlan expert_exchange(const Machine& machine, int64_t devices, const Blueprint& bp,
                          int64_t tokens) {
  double layers = 0, chosen = 0;
  for (const Block& b : bp.blocks) {
    if (const auto* e = std::get_if<ExpertFfnPart>(&b.ffn)) {
      layers += 1;
      chosen += static_cast<double>(e->top_k);
    }
  }
  const auto n = static_cast<double>(devices);
  // A device's rows go to each chosen expert that is elsewhere.
  const double rows = std::max(1.0, static_cast<double>(tokens) / n) * (n - 1) / n;
  SplitPlan split;
  split.bytes = 2 * rows * chosen * row_bytes_of(bp, 1);
  split.seconds = 2 * layers * machine.link.seconds +
                  split.bytes / std::max(1.0, machine.link.bytes_per_second);
  return split;
}

SpeedRange efficiency(const Machine& machine, const Blueprint& bp, bool prefill,
                      int64_t sequences) {
  const bool experts = has_experts(bp);
  if (prefill) {
    if (machine.kind == "gpu") return experts ? SpeedRange{0.06, 0.6} : SpeedRange{0.12, 0.95};
    if (machine.kind == "unified") return experts ? SpeedRange{0.1, 0.8} : SpeedRange{0.18, 0.85};
    return experts ? SpeedRange{0.05, 0.6} : SpeedRange{0.07, 0.75};
  }
  // Many sequences at once: attention and the choice of experts take their part.
  const double batch = sequences >= 16 ? 0.6 : 1;
  SpeedRange range{0.25, 0.85};
  if (machine.kind == "gpu") range = experts ? SpeedRange{0.25, 1} : SpeedRange{0.35, 1};
  if (machine.kind == "unified") range = experts ? SpeedRange{0.3, 0.95} : SpeedRange{0.45, 0.95};
  if (machine.kind == "cpu") range = experts ? SpeedRange{0.25, 0.85} : SpeedRange{0.45, 0.92};
  return {range.low * batch, range.high};
}

WeightFormats held_in_eight_bits(const WeightFormats& formats) {
  return [formats](const Param& p) {
    const Format f = formats(p);
    return p.role == Role::projection && f == Format::bf16 && p.cols() % 32 == 0 ? Format::q8_0 : f;
  };
}

}  // namespace ashlar
