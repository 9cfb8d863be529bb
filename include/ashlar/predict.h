// Prediction: does a model fit a machine, how fast is it there, what bounds it. No weights needed.
//
//   const ashlar::Machine m = ashlar::load_machine("h100-sxm");
//   const ashlar::Prediction p = ashlar::predict(ashlar::Blueprint::load("kimi-k2"), m);
//   p.decode.limit.tokens_per_second
//
// Two speeds are predicted. At the machine's limit every step takes the longer of reading its bytes
// at full bandwidth and doing its operations at full rate. At today's kernels it takes what the
// engine's own kernels took when `ashlar probe` ran them on this machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ashlar/count.h"

namespace ashlar {

/// The engine's own kernels on all threads, as measured.
struct MachineKernels {
  std::string table;
  double step_seconds = 0;  // of a step of the engine that has next to nothing to do
  struct Product {          // weights too large for any cache
    Format format = Format::f32;
    int64_t tokens = 1;
    double seconds_per_weight = 0;
    int64_t cols = 2048;  // of the matrix: short rows cost more per weight
    bool packed = false;  // kept in panels (EngineOptions::packed_weights)
  };
  std::vector<Product> products;
  struct Attention {
    int64_t tokens = 1, context = 0, group = 1, k_dim = 0, v_dim = 0;
    double operations_per_second = 0;
  };
  std::vector<Attention> attention;
  std::map<std::string, double> row_seconds;  // per number and thread: norm, rope, gated, ...
};

/// What a machine can do: measured by `ashlar probe`, or published (machines/*.json).
struct Machine {
  std::string name;
  std::string kind = "cpu";  // cpu, gpu, unified
  std::string source;        // "measured" or "published"
  std::string date;          // of the measurement
  std::string note;          // where published figures come from, what was assumed
  int threads = 0;           // used for the figures below; 0: not a matter of threads
  /// What the device reports as its memory, and what of it is not for models: the system, the
  /// driver's context, fragments. 0: a share that depends on the kind (usable_bytes).
  double memory_bytes = 0, reserve_bytes = 0;
  std::map<std::string, std::string> sources;  // of each published figure, by its key

  struct Cache {
    std::string name;  // L1d, L2, L3
    double bytes = 0;  // of one
    int count = 1;
  };
  std::vector<Cache> caches;

  struct Bandwidth {
    int threads = 0;
    double working_set = 0;  // bytes read over and over, of all threads together; 0: any
    double bytes_per_second = 0;
  };
  std::vector<Bandwidth> read;

  struct Rate {
    std::string arithmetic;       // f32, bf16, int8, fp8, fp4
    std::string instruction_set;  // avx2, avx512, vnni, amx; empty where published
    int threads = 0;
    double operations_per_second = 0;  // a multiply-add is two
  };
  std::vector<Rate> matrix;

  double step_seconds = 0;  // between two steps that wait for each other: a barrier, a launch

  /// Between two such machines: NVLink, sockets, a network. 0: unknown.
  struct Link {
    std::string name;
    double bytes_per_second = 0;  // in one direction
    double seconds = 0;           // of one exchange of next to nothing
    int devices = 8;              // that it joins; more of them are hosts joined by a network
  } link;
  double host_bytes_per_second = 0;  // of the memory beside a card; 0: none

  using Kernels = MachineKernels;
  std::optional<Kernels> kernels;

  /// Bytes per second of reading `working_set` bytes over and over on all threads.
  double bandwidth(double working_set) const;
  /// Fastest arithmetic for weights of a format: float32 weights in f32, 16-bit ones in bf16,
  /// packed ones in the fastest there is.
  double peak(Format format) const;
  /// Memory for weights, state and activations: what is reported less the reserve.
  double usable_bytes() const;
};

/// The machine of that name in the library, or of a file. Throws Error(io) that lists the names.
Machine load_machine(const std::string& name_or_file);
std::vector<std::string> machine_names();
std::string machine_json(const Machine& machine);
Machine machine_from_json(std::string_view text, std::string_view where);  // throws Error
/// Where `ashlar probe` keeps what it measured: $XDG_CACHE_HOME/ashlar/machine.json.
std::filesystem::path probed_machine_file();

struct PredictOptions {
  int64_t context = 4096;              // tokens a sequence can hold: memory
  int64_t sequences = 1;               // decoded together
  int64_t depth = 0;                   // tokens remembered before the prompt
  int64_t prompt = 512;                // tokens of the prompt
  int64_t generate = 128;              // tokens generated after it: decoding is predicted half way
  std::optional<int64_t> decode_from;  // tokens remembered when decoding begins, if not those
  int64_t chunk = 512;                 // most tokens evaluated in one step
  /// A format or mix (weight_formats); "native": as released.
  std::string weights = "native";
  WeightFormats formats;  // instead of `weights` (then only a label)
  std::string native;     // format of the release; empty: the blueprint's card says it
  int64_t devices = 1;    // such machines that hold the model between them; 0: the fewest that do
  Format state = Format::f16;
  bool packed_weights = false;  // as EngineOptions has it
  bool alternatives = true;     // also predict other weights
};

/// One part of a phase. Seconds are of one step of decoding, or of the whole prompt.
struct PhaseShare {
  double weight_bytes = 0, state_bytes = 0, activation_bytes = 0, operations = 0;
  double steps = 0;
  double limit_seconds = 0, today_seconds = 0;
  double bandwidth_seconds = 0, compute_seconds = 0;  // of limit_seconds, by what bounds; the rest:
                                                      // barriers
};

struct Speed {
  double seconds = 0;  // decode: of one step; prefill: of the prompt
  double tokens_per_second = 0;
  double bandwidth_seconds = 0, compute_seconds = 0,
         step_seconds = 0;  // of `seconds`, by what bounds
  std::string bound_by;     // bandwidth, compute, steps
};

/// Tokens per second of all sequences.
struct SpeedRange {
  double low = 0, high = 0;
};

struct Phase {
  int64_t tokens = 0;  // evaluated
  int64_t sequences = 1;
  double weight_bytes = 0, state_bytes = 0, activation_bytes = 0, operations = 0, steps = 0;
  std::string latents;  // the limit's form of latent attention: absorbed, expanded; empty: no such
  Speed limit;
  std::optional<Speed> today;
  std::optional<SpeedRange> expected;         // docs/planning.md; nothing for what does not fit
  std::map<std::string, PhaseShare> by_kind;  // attention, ffn, experts, ...
  std::map<std::string, PhaseShare> by_part;  // of steps: attention products, scores, rows, ...
};

/// The same model in other weights.
struct Alternative {
  std::string weights;
  int64_t bytes = 0;
  bool fits = false;           // on the devices of the prediction
  int64_t devices_needed = 0;  // the fewest that hold it; 0: no number of them
  int64_t largest_context = 0;
  double prefill_limit = 0, decode_limit = 0;  // tokens per second
  double prefill_today = 0, decode_today = 0;  // 0: unknown
};

/// One way to spread a model over several devices, when it decodes.
struct Split {
  std::string name;              // tensor, pipeline, expert, data
  int64_t tensor = 1;            // devices that share every matrix
  int64_t pipeline = 1;          // groups of devices with some of the layers each
  double bytes_per_step = 0;     // that one device sends
  double exchange_seconds = 0;   // of one step
  double tokens_per_second = 0;  // at the limit, over all sequences; 0: does not fit this way
};

/// Part of the weights in the memory of the host beside the devices.
struct Offload {
  std::string what;              // "experts", "layers"
  double share = 0;              // of those weights
  double tokens_per_second = 0;  // decoding, at the limit
};

struct Prediction {
  std::string model;
  std::string native;          // format of the released weights
  int64_t devices = 1;         // counted with
  int64_t devices_needed = 0;  // the fewest that hold it; 0: no number of them
  Machine machine;
  PredictOptions options;
  struct Memory {
    int64_t weights = 0, state = 0, activations = 0, total = 0;
    int64_t copies = 0;  // made of weights, in total: vectors as float32, transposes
    int64_t available = 0;
    bool fits = false;
  } memory;
  /// Bytes of state that a token of one sequence adds: at first, and where windows are full; and
  /// what a sequence takes however long it is.
  double state_bytes_first = 0, state_bytes_later = 0, state_bytes_fixed = 0;
  int64_t model_context = 0;      // made for; 0: unknown
  int64_t largest_context = 0;    // of `sequences` sequences; 0: not even one token fits
  int64_t largest_sequences = 0;  // of `context` tokens
  Phase prefill, decode;
  double first_token_limit = 0, first_token_today = 0;  // seconds; today 0: unknown
  std::vector<Split> splits;                            // of more than one device
  std::optional<Offload> offload;  // where one device (or those asked about) cannot hold it
  std::vector<Alternative> alternatives;
  std::string suggestion;  // of the alternatives; empty: none fits
  std::string suggestion_reason;
};

/// The JSON of `ashlar plan --json` (docs/json.md lists the fields), and its text for people.
std::string prediction_json(const Prediction& prediction);
std::string prediction_text(const Prediction& prediction);

}  // namespace ashlar

namespace ASHLAR_V1 {

/// Predicts. Throws Error(invalid) for options out of range. Any number of threads may predict at a
/// time.
Prediction predict(const Blueprint& blueprint, const Machine& machine,
                   const PredictOptions& options = {});
/// The same with weights in the formats that the model's have; `options.weights` counts where it
/// has none.
Prediction predict(const Model& model, const Machine& machine, const PredictOptions& options = {});

/// The machine that this runs on: as `ashlar probe` measured it, else limits measured now, in about
/// a second of all cores.
Machine this_machine();

}  // namespace ASHLAR_V1
