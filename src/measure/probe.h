// Measures this machine: what its memory and arithmetic reach, and what the engine's kernels reach.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "readings/predict/predict.h"

namespace ashlar {

struct ProbeOptions {
  int threads = 0;                            // 0: one per core
  std::string kernels;                        // table name; empty: the best
  std::vector<Format> formats;                // whose kernels are measured; empty: all
  bool f32_activations = false;               // as EngineOptions has it
  bool packed_weights = true;                 // also of weights kept in panels
  std::function<void(double done)> progress;  // 0 to 1
};

/// All of Machine, in some 20 to 50 seconds.
Machine probe(const ProbeOptions& options = {});

/// Memory, caches and peaks only, in half a second; no kernels, a barrier that is a guess.
Machine quick_probe(int threads = 0);

/// Adds the kernels' rates to a machine that quick_probe or probe measured.
void probe_kernels(Machine& machine, const ProbeOptions& options);

/// "AMD EPYC" and the like, as the system names the CPU.
std::string cpu_name();

std::string today();  // "2026-11-27", of UTC

std::string probe_text(const Machine& machine);

}  // namespace ashlar
