// From a graph of training to the list of steps that a run goes through, and where values lie: in
// one arena, by how long they are needed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "train/steps.h"

namespace ashlar {

struct TrainingLoweringOptions {
  /// Every step as exact as the plain loops: nothing is computed in one that they round between.
  bool exact = true;
  bool plain_loops = false;  // no step but theirs, no values in one place: what others are held to
};

/// A node as it will be run.
struct LoweredStep {
  Node node;
  StepKind kind;
  std::optional<Input> start;  // what the first result is added to
};

/// Memory that one value after the other may lie in.
struct Storage {
  int64_t width = 0;  // numbers of a row, or of all
  bool per_token = false, index = false;
  bool local = false;           // holds a chunk's rows only
  int64_t first = 0, last = 0;  // steps that need it
  int32_t output = -1;          // of the graph, where it lies outside of the arena
  int64_t bytes(int64_t rows) const;
};

using StorageId = Id<struct StorageTag>;

/// Steps are lowered once; where their values lie depends on the number of tokens.
class TrainingLowering {
 public:
  TrainingLowering(const Graph& graph, const TrainingLoweringOptions& options);

  const Graph& graph() const { return graph_; }
  const std::vector<LoweredStep>& steps() const { return steps_; }
  const IdVector<StorageId, Storage>& storages() const { return storages_; }
  const Storage& storage_of(ValueId id) const { return storages_[storage_id(id)]; }
  StorageId storage_id(ValueId id) const { return storage_of_[id]; }
  /// Steps that take chunks of tokens in turn, because values between them are wide.
  struct Chunked {
    size_t begin = 0, end = 0;
    int64_t width = 0;
  };
  const Chunked& chunked() const { return chunked_; }
  /// Tokens of a chunk.
  int64_t chunk_rows(int64_t tokens) const;

  struct Places {
    IdVector<StorageId, int64_t> offsets;  // bytes into the arena
    int64_t bytes = 0;                     // of the arena
  };
  Places places(int64_t tokens) const;
  /// Bytes of the arena at its fullest that hold rows of tokens, and others.
  struct Peak {
    int64_t of_tokens = 0, others = 0;
  };
  Peak peak(int64_t tokens) const;

 private:
  void share_equal_nodes();
  void find_chunked();
  void fuse_additions();
  void assign_storages();

  Graph graph_;
  TrainingLoweringOptions options_;
  std::vector<LoweredStep> steps_;
  IdVector<StorageId, Storage> storages_;
  IdVector<ValueId, StorageId> storage_of_;
  Chunked chunked_;
};

}  // namespace ashlar
