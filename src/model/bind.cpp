// Finding tensors: prefixes, alternatives, ties, differences.
#include "model/bind.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "model/assemble.h"
#include "model/memory.h"

namespace ashlar {
namespace {

/// Leading axes of size 1 say nothing.
Sizes trimmed(Sizes sizes) {
  while (sizes.size() > 1 && sizes.front() == 1) sizes.erase(sizes.begin());
  return sizes;
}

/// A parameter and the place it was found in.
struct Found {
  const Param* param = nullptr;
  const Source* source = nullptr;
  Layout layout;
  bool is_transposed = false;
  std::vector<std::string> tensors;
};

/// What is wrong with the file.
class Differences {
 public:
  void missing(const std::string& name, const Sizes& expected) {
    add(fmt::format("{}: expected {}, missing", name, to_string(expected)));
    ++missing_;
  }
  void misshapen(const std::string& name, const Sizes& expected, const TensorEntry& found) {
    add(fmt::format("{}: expected {}, found {} ({})", name, to_string(expected),
                    to_string(found.sizes), found.file));
  }
  void refused(const std::string& name, const TensorEntry& found) {
    add(fmt::format("{}: {} ({})", name, found.refusal, found.file));
  }
  bool none() const { return count_ == 0; }
  int64_t missing_count() const { return missing_; }
  std::string text() const {
    return count_ > kMost ? fmt::format("{}\n  and {} more", text_, count_ - kMost) : text_;
  }
  int64_t count() const { return count_; }

 private:
  static constexpr int64_t kMost = 24;
  void add(const std::string& line) {
    if (++count_ <= kMost) text_ += "\n  " + line;
  }
  std::string text_;
  int64_t count_ = 0, missing_ = 0;
};

class Binder {
 public:
  Binder(const Checkpoint& checkpoint, const FileNames& file_names, const Names& names,
         int64_t layers, bool gguf)
      : checkpoint_(checkpoint),
        file_names_(file_names),
        names_(names),
        layers_(layers),
        gguf_(gguf) {}

  /// Whether any of the places of a parameter is in the file.
  bool has(const Param& param) const {
    Found found;
    return look(param, &found, nullptr);
  }

  /// The place of a parameter; differences if there is none that fits.
  bool look(const Param& param, Found* found, Differences* differences) const {
    int64_t layer = 0;
    const Name* name = names_.find(param.name, layers_, &layer);
    const std::vector<Source>* sources = name == nullptr ? nullptr
                                         : gguf_         ? &name->gguf
                                                         : &name->config;
    if (sources == nullptr || sources->empty()) {
      if (differences != nullptr) differences->missing(param.name, sizes_of(param));
      return false;
    }
    for (const Source& source : *sources) {
      if (try_source(param, source, layer, found)) {
        if (differences != nullptr) check(*found, differences);
        return true;
      }
    }
    if (differences != nullptr) {
      const Layout layout = layout_of(param, (*sources)[0]);
      differences->missing(file_name((*sources)[0], layer, 0),
                           layout.file_sizes((*sources)[0].transposed));
    }
    return false;
  }

 private:
  std::string file_name(const Source& source, int64_t layer, int64_t expert) const {
    return file_names_(filled(source.name, layer, expert));
  }

  bool try_source(const Param& param, const Source& source, int64_t layer, Found* found) const {
    *found = {&param, &source, layout_of(param, source), source.transposed, {}};
    const int64_t count = found->layout.stacked ? found->layout.matrices : 1;
    for (int64_t e = 0; e < count; ++e) {
      found->tensors.push_back(file_name(source, layer, e));
      // The first says whether they are here at all; of the others none may be missing.
      if (e == 0 && !checkpoint_.has(found->tensors[0])) return false;
    }
    if (source.unless_packed && checkpoint_.entries().at(found->tensors[0]).format == Format::mxfp4)
      found->is_transposed = false;
    return true;
  }

  void check(const Found& found, Differences* differences) const {
    const Sizes expected = found.layout.file_sizes(found.is_transposed);
    for (const std::string& name : found.tensors) {
      const auto it = checkpoint_.entries().find(name);
      if (it == checkpoint_.entries().end()) {
        differences->missing(name, expected);
      } else if (trimmed(it->second.sizes) != trimmed(expected)) {
        differences->misshapen(name, expected, it->second);
      } else if (!it->second.refusal.empty()) {
        differences->refused(name, it->second);
      }
    }
  }

  const Checkpoint& checkpoint_;
  const FileNames& file_names_;
  const Names& names_;
  int64_t layers_;
  bool gguf_;
};

/// Whether the file has this tensor, with or without the root of its names, in any layer: the first
/// ones may be of another kind than the rest.
bool in_some_layer(const Checkpoint& checkpoint, const std::string& pattern,
                   const std::string& root, size_t layers) {
  for (size_t i = 0; i < layers; ++i) {
    const std::string tensor = filled(pattern, static_cast<int64_t>(i));
    if (checkpoint.has(tensor) ||
        (tensor.starts_with(root) && checkpoint.has(tensor.substr(root.size()))))
      return true;
  }
  return false;
}

/// Other families whose names are in the file, for the error: a config that names the wrong one.
std::string nearest_family(const Checkpoint& checkpoint, const Family& own, const Blueprint& bp,
                           bool gguf) {
  const Family* best = nullptr;
  double best_share = 0;
  for (const Family* family : families()) {
    int64_t found = 0, all = 0;
    try {
      const Names names = names_of(*family, bp);
      const std::string root(family->root);
      std::set<std::string> seen;  // one tensor may serve several parameters
      for (const auto& [canonical, name] : names.all()) {
        const std::vector<Source>& sources = gguf ? name.gguf : name.config;
        if (sources.empty() || !canonical.starts_with("layers.")) continue;
        if (!seen.insert(sources[0].name).second) continue;
        ++all;
        found += std::any_of(sources.begin(), sources.end(), [&](const Source& s) {
          return in_some_layer(checkpoint, s.name, root, bp.blocks.size());
        });
      }
    } catch (const Error&) {
      continue;
    }
    // Shared names fit many families; the one whose table the file fills best is meant.
    const double share = all == 0 ? 0
                                  : static_cast<double>(found) * static_cast<double>(found) /
                                        static_cast<double>(all);
    if (share > best_share || (share == best_share && family == &own)) {
      best_share = share;
      best = family;
    }
  }
  if (best == nullptr) return "no known architecture has tensors of these names";
  return best == &own ? fmt::format("its names are those of the architecture {}", own.name)
                      : fmt::format("the nearest known architecture is {}", best->name);
}

bool is_vision(const std::string& name) {
  for (const char* part : {"vision", "visual", "multi_modal_projector", "mm_projector",
                           "embed_vision", "audio", "patch_merger"}) {
    if (name.find(part) != std::string::npos) return true;
  }
  return name.starts_with("v.") || name.starts_with("mm.") || name.starts_with("a.");
}

/// Multi-token prediction as Qwen keeps it, beside the decoder.
bool is_ahead(const std::string& name) {
  return name.starts_with("mtp.") || name.find(".mtp.") != std::string::npos;
}

/// Buffers that old checkpoints carry and nobody reads: causal masks, inverse frequencies, and what
/// the metadata has told already.
bool is_buffer(const std::string& name) {
  // Layers of multi-token prediction carry copies of the main table and head.
  if (name.find("layers.") != std::string::npos &&
      (name.ends_with(".embed_tokens.weight") || name.ends_with(".shared_head.head.weight")))
    return true;
  for (const char* end :
       {".nextn.embed_tokens.weight", ".nextn.shared_head_head.weight", "rotary_emb.inv_freq",
        ".attn.bias", ".attn.masked_bias", ".rope_freqs.weight", "rope_factors_long.weight",
        "rope_factors_short.weight"}) {
    if (name.ends_with(end)) return true;
  }
  return name == "rope_freqs.weight";
}

/// Whether a tensor belongs to one of the decoder's layers and takes part in its computation.
bool in_layer(const std::string& name, int64_t layers) {
  if (!name.ends_with(".weight") && !name.ends_with(".bias") && !name.ends_with(".scale"))
    return false;
  for (const std::string_view root : {"layers.", "blk.", "h."}) {
    const size_t at = name.starts_with(root) ? 0 : name.find("." + std::string(root));
    if (at == std::string::npos) continue;
    const char* begin = name.data() + at + root.size() + (at == 0 ? 0 : 1);
    int64_t layer = -1;
    const auto r = std::from_chars(begin, name.data() + name.size(), layer);
    if (r.ec == std::errc() && *r.ptr == '.' && layer >= 0 && layer < layers) return true;
  }
  return false;
}

/// Error for tensors of the decoder's layers that the architecture does not read: the result would
/// be another than the model's.
void refuse_unread(const Checkpoint& checkpoint, const std::set<std::string>& used,
                   const Family& family, int64_t layers, const std::string& where) {
  for (const auto& [name, entry] : checkpoint.entries()) {
    if (used.contains(name) || is_buffer(name) || is_vision(name) || is_ahead(name) ||
        !in_layer(name, layers))
      continue;
    fail(ErrorKind::unsupported,
         "{}: the tensor {} belongs to a layer, and the architecture {} with this config does not "
         "read it",
         where, name, family.name);
  }
}

std::vector<std::string> notices_of(const Checkpoint& checkpoint,
                                    const std::set<std::string>& used) {
  int64_t vision = 0, ahead = 0, extra = 0;
  std::string some;
  for (const auto& [name, entry] : checkpoint.entries()) {
    if (used.count(name) != 0 || is_buffer(name)) continue;
    if (is_vision(name)) {
      ++vision;
    } else if (is_ahead(name)) {
      ++ahead;
    } else if (++extra <= 4) {
      some += (some.empty() ? "" : ", ") + name;
    }
  }
  std::vector<std::string> notices;
  if (vision > 0)
    notices.push_back(fmt::format("{} tensors of other towers (vision, audio) left aside", vision));
  if (ahead > 0)
    notices.push_back(fmt::format("{} tensors of multi-token prediction left aside", ahead));
  if (extra > 0) {
    notices.push_back(fmt::format("{} tensors of the file are not used: {}{}", extra, some,
                                  extra > 4 ? ", ..." : ""));
  }
  return notices;
}

}  // namespace

Params parameters_of(const Blueprint& bp, const Graph& graph) {
  Params params = graph.params();
  if (bp.mtp.empty()) return params;
  const Graph mtp = mtp_graph_of(bp);
  for (const Param& p : mtp.params()) {
    if (p.name.starts_with("mtp.")) params.push_back(p);
  }
  return params;
}

FileNames::FileNames(const Checkpoint& checkpoint, std::string_view root,
                     const std::vector<std::string>& anchors)
    : checkpoint_(checkpoint), root_(root), prefix_(root) {
  for (const std::string& anchor : anchors) {
    if (take_prefix(anchor)) return;
  }
}

bool FileNames::take_prefix(const std::string& anchor) {
  if (!anchor.starts_with(root_)) return false;
  const std::string tail = anchor.substr(root_.size());
  std::vector<std::string> found;
  for (const auto& [name, entry] : checkpoint_.entries()) {
    if (!name.ends_with(tail) || is_vision(name)) continue;
    const std::string prefix = name.substr(0, name.size() - tail.size());
    // Layers of multi-token prediction carry copies of the table, and norms end alike.
    if (prefix.find("layers.") != std::string::npos) continue;
    if (prefix.empty() || prefix.back() == '.') found.push_back(prefix);
  }
  for (const std::string& known :
       {root_, "language_model." + root_, std::string("model.language_model."), std::string()}) {
    if (std::find(found.begin(), found.end(), known) != found.end()) {
      prefix_ = known;
      return true;
    }
  }
  if (!found.empty()) prefix_ = found.front();
  return !found.empty();
}

std::string FileNames::operator()(const std::string& name) const {
  if (root_.empty()) return name;
  if (name.starts_with(root_)) return prefix_ + name.substr(root_.size());
  // The head stands beside the decoder: "language_model.lm_head.weight".
  if (checkpoint_.has(name)) return name;
  const std::string outer =
      prefix_.ends_with(root_) ? prefix_.substr(0, prefix_.size() - root_.size()) : prefix_;
  for (const std::string& other : {outer + name, prefix_ + name, "language_model." + name}) {
    if (checkpoint_.has(other)) return other;
  }
  return name;
}

namespace {

/// The name of a parameter of no layer in safetensors files as the family writes it; empty if it
/// has none.
std::string first_name(const Names& names, const std::string& parameter) {
  int64_t layer = 0;
  const Name* name = names.find(parameter, 0, &layer);
  return name == nullptr || name->config.empty() ? "" : name->config[0].name;
}

/// Whether two tensors of the file hold the same numbers.
bool equal(const Checkpoint& checkpoint, const std::string& a, const std::string& b) {
  const TensorEntry &x = checkpoint.entries().at(a), &y = checkpoint.entries().at(b);
  if (x.format != y.format || x.sizes != y.sizes || !x.refusal.empty() || !y.refusal.empty())
    return false;
  const Tensor s = checkpoint.tensor(a), t = checkpoint.tensor(b);
  return std::equal(s.data, s.data + s.bytes(), t.data);
}

/// Head and token table of a safetensors file as Transformers has them: a head of its own that a
/// config calls tied counts where it differs from the table, and a table that is not there is the
/// head.
void settle_tie(Blueprint& bp, Graph& graph, Names& names, const Checkpoint& checkpoint,
                const FileNames& file_names, std::set<std::string>& used,
                std::vector<std::string>& notices) {
  const std::string head = first_name(names, "head"), table = first_name(names, "embedding");
  if (!bp.head.tied || head.empty() || table.empty()) return;
  const std::string head_name = file_names(head), table_name = file_names(table);
  if (!checkpoint.has(head_name)) return;
  if (!checkpoint.has(table_name)) {
    names.add("embedding", {Source(head)}, {});
  } else if (!equal(checkpoint, head_name, table_name)) {
    bp.head.tied = false;
    notices.push_back(
        fmt::format("{} differs from {}: the head is its own, although the config says that it is "
                    "tied",
                    head_name, table_name));
    graph = graph_of(bp);
  } else {
    used.insert(head_name);
  }
}

}  // namespace

Bound bind_weights(Blueprint& bp, Graph& graph, const Family& family, const Checkpoint& checkpoint,
                   bool gguf, const std::string& where,
                   const std::function<void(int64_t, int64_t)>& progress) {
  const auto layers = static_cast<int64_t>(bp.blocks.size());
  Names names = names_of(family, bp);
  const FileNames file_names =
      gguf ? FileNames(checkpoint)
           : FileNames(checkpoint, family.root,
                       {first_name(names, "embedding"), first_name(names, "final_norm")});
  Bound bound;
  std::set<std::string> used;
  if (!gguf) settle_tie(bp, graph, names, checkpoint, file_names, used, bound.notices);
  const Binder binder(checkpoint, file_names, names, layers, gguf);
  if (!bp.mtp.empty()) {
    const Params all = parameters_of(bp, graph);
    const bool complete = std::all_of(all.begin(), all.end(), [&](const Param& p) {
      return !p.name.starts_with("mtp.") || binder.has(p);
    });
    if (!complete) {
      bp.mtp.clear();
      bound.notices.emplace_back("the file has no weights for multi-token prediction");
    }
  }

  const Params params = parameters_of(bp, graph);
  IdVector<ParamId, Found> found(params.size());
  Differences differences;
  int64_t total = 0, made = 0;
  for (const ParamId i : params.ids()) {
    if (!binder.look(params[i], &found[i], &differences)) continue;
    used.insert(found[i].tensors.begin(), found[i].tensors.end());
  }
  if (!differences.none()) {
    fail(ErrorKind::format, "{}: {} of {} tensors do not fit the architecture {}; {}:{}", where,
         differences.count(), used.size() + static_cast<size_t>(differences.missing_count()),
         family.name, nearest_family(checkpoint, family, bp, gguf), differences.text());
  }
  refuse_unread(checkpoint, used, family, layers, where);
  for (const Found& f : found) {
    const Format format = checkpoint.entries().at(f.tensors[0]).format;
    made += assembled_bytes(*f.param, *f.source, f.layout, f.is_transposed, format);
    total += f.param->elements();
  }
  need_memory(made, fmt::format("{}: weights that must be rearranged", where));

  // Mapped tensors cost nothing; assembled ones are made one after the other, each on all cores.
  int64_t done = 0;
  for (const Found& f : found) {
    std::vector<Tensor> files;
    for (const std::string& name : f.tensors) files.push_back(checkpoint.tensor(name));
    bound.weights[f.param->name] = assembled(*f.param, *f.source, f.layout, f.is_transposed, files);
    const TensorEntry& entry = checkpoint.entries().at(f.tensors[0]);
    std::string tensors = f.tensors[0];
    if (f.tensors.size() > 1) tensors += fmt::format(" and {} more", f.tensors.size() - 1);
    bound.sources.push_back(
        {f.param->name,
         fmt::format("{} ({})", tensors, std::filesystem::path(entry.file).filename().string())});
    bound.placements.push_back({f.param->name, *f.source, f.tensors});
    bound.placements.back().source.transposed = f.is_transposed;
    done += f.param->elements();
    if (progress) progress(done, total);
  }
  const std::vector<std::string> more = notices_of(checkpoint, used);
  bound.notices.insert(bound.notices.end(), more.begin(), more.end());
  return bound;
}

}  // namespace ashlar
