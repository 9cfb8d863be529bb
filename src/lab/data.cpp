// Rows from tasks, texts and files.
#include "lab/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "base/output_file.h"
#include "data/folder.h"
#include "formats/npy.h"
#include "lab/tasks/task.h"
#include "runs/settings_json.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

struct DataKeys {
  std::string task, text, tokens, validation, folder, order = "shuffled";
  int64_t seed = 1, rows = 0, validation_rows = 256, length = 128, held_out = 10;
  ASHLAR_SETTINGS(task, text, tokens, validation, folder, order, seed, rows, validation_rows,
                  length, held_out);
  Json parameters = Json::object();
};

DataKeys keys_of(const Experiment& e) {
  DataKeys k;
  SettingsReader r(e.data, "data");
  k.visit(r);
  r.allow("parameters");
  r.finish();
  if (e.data.contains("parameters")) k.parameters = e.data["parameters"];
  const std::string* kinds[] = {&k.task, &k.text, &k.tokens, &k.folder};
  if (std::ranges::count_if(kinds, [](const std::string* kind) { return !kind->empty(); }) != 1)
    fail(ErrorKind::invalid, "data: expected exactly one of task, text, tokens and folder");
  if (!k.tokens.empty() && k.validation.empty())
    fail(ErrorKind::invalid, "data.validation: is missing: a held-out .npy beside tokens");
  if (k.order != "shuffled" && k.order != "sequential")
    fail(ErrorKind::invalid, "data.order: expected shuffled or sequential, found {}", k.order);
  if (e.events.count > 0 && k.order != "sequential") {
    fail(ErrorKind::invalid,
         "events: need \"order\": \"sequential\" in data, so that they come at the same steps");
  }
  if (k.length < 2 || k.held_out < 2 || k.rows < 0 || k.validation_rows < 1)
    fail(ErrorKind::invalid,
         "data: expected length and held_out from 2, rows from 0, validation_rows from 1");
  return k;
}

std::string found(const std::string& path, const Experiment& e) {
  std::error_code code;
  for (const fs::path& here : {e.file.parent_path() / path, fs::path(path)}) {
    if (fs::exists(here, code)) return fs::absolute(here).lexically_normal().string();
  }
  fail(ErrorKind::io,
       "experiment {}: data: {}: there is no such file or folder, neither from {} nor from the "
       "current folder; make it first (docs/lab.md)",
       e.id, path, e.file.parent_path().string());
}

/// Bytes of the documents, those held out apart.
struct Texts {
  std::string train, held_out;
  std::vector<int32_t> labels;  // of the bytes held out; -1: none
  std::vector<std::string> names;
  int64_t documents = 0;
};

Texts read_texts(const std::string& path, int64_t one_in) {
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().extension() == ".txt")
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else {
    files.emplace_back(path);
  }
  Texts texts;
  for (const fs::path& file : files) {
    const std::string text = read_file(file) + "\n";
    ++texts.documents;
    // A lone file is cut, others go whole to one side by their name.
    if (files.size() == 1) {
      const size_t cut = text.size() - text.size() / static_cast<size_t>(one_in);
      texts.train = text.substr(0, cut);
      texts.held_out = text.substr(cut);
    } else {
      const fs::path name = fs::relative(file, path);
      const bool held_out = mixed(hashed(name.string())) % static_cast<uint64_t>(one_in) == 0;
      (held_out ? texts.held_out : texts.train) += text;
      if (!held_out) continue;
      // Files are in the order of their names, so those of a folder follow each other.
      const std::string label = name.has_parent_path() ? name.begin()->string() : "";
      if (!label.empty() && (texts.names.empty() || texts.names.back() != label))
        texts.names.push_back(label);
      texts.labels.resize(texts.held_out.size(),
                          label.empty() ? -1 : static_cast<int32_t>(texts.names.size()) - 1);
    }
  }
  return texts;
}

TaskRows rows_of_bytes(const std::string& text, int64_t length, const std::string& where) {
  TaskRows r{.rows = static_cast<int64_t>(text.size()) / length, .length = length};
  if (r.rows < 1)
    fail(ErrorKind::invalid, "data.text: {}: too little text for one row of {} bytes", where,
         length);
  r.ids.reserve(static_cast<size_t>(r.rows * length));
  for (size_t i = 0; i < static_cast<size_t>(r.rows * length); ++i)
    r.ids.push_back(static_cast<unsigned char>(text[i]));
  return r;
}

/// Events are evenly spread over the last three quarters of the run.
void put_events(TaskRows& rows, const Events& events, int64_t vocab, uint64_t seed, int64_t steps,
                int64_t sequences) {
  for (int64_t i = 0; i < events.count; ++i) {
    Random random(mixed(seed ^ 0xE7E47) ^ static_cast<uint64_t>(i));
    const int64_t row = event_step(events, i, steps) * sequences;
    if (row >= rows.rows) fail(ErrorKind::invalid, "events: the data has too few rows for them");
    const int64_t n = 1 + random.below(events.longest);
    std::vector<int32_t> gram;
    for (int64_t k = 0; k < n; ++k) gram.push_back(static_cast<int32_t>(random.below(vocab)));
    for (int64_t t = 0; t < rows.length; ++t)
      rows.ids[static_cast<size_t>(row * rows.length + t)] = gram[static_cast<size_t>(t % n)];
  }
}

int64_t vocab_of(const TaskRows& rows) {
  return rows.ids.empty() ? 0 : 1 + *std::max_element(rows.ids.begin(), rows.ids.end());
}

TaskRows read_rows(const std::string& file) {
  const NpyIntegers matrix(file);
  TaskRows r{.rows = matrix.rows(), .length = matrix.cols()};
  r.ids.resize(static_cast<size_t>(r.rows * r.length));
  for (int64_t i = 0; i < r.rows; ++i)
    matrix.read(i, std::span(r.ids).subspan(static_cast<size_t>(i * r.length),
                                            static_cast<size_t>(r.length)));
  return r;
}

/// Held-out rows that are `times` as long.
TaskRows longer_rows(const DataKeys& k, const Texts& texts, int64_t length, int64_t times,
                     int64_t seed) {
  if (k.task == "markov" || k.task == "nested") {
    Json parameters = k.parameters;
    parameters["length"] = times * length;
    const auto task = make_task(k.task, parameters, static_cast<uint64_t>(seed));
    return rows_of(*task, std::max<int64_t>(1, k.validation_rows / times),
                   static_cast<uint64_t>(seed), true);
  }
  if (!k.text.empty()) return rows_of_bytes(texts.held_out, times * length, k.text);
  fail(ErrorKind::invalid,
       "beyond: rows of another length can be made of the tasks markov and nested, and of text");
}

template <class T>
std::string hash_of(const T& values) {
  return hex(xxh64(std::as_bytes(std::span(values))));
}

}  // namespace

int64_t event_step(const Events& events, int64_t i, int64_t steps) {
  return steps / 4 + (2 * i + 1) * (steps - steps / 4) / (2 * events.count);
}

Data describe_data(const Experiment& e) {
  const DataKeys k = keys_of(e);
  Data data;
  data.order = k.order;
  data.events = e.events;
  if (!k.task.empty()) {
    static_cast<RowsAbout&>(data) =
        make_task(k.task, k.parameters, static_cast<uint64_t>(k.seed))->about();
  } else if (!k.text.empty()) {
    data.length = k.length;
    data.vocab = 256;
    data.bytes = true;
    data.says = fmt::format("bytes of {}, one document in {} held out",
                            fs::path(k.text).filename().string(), k.held_out);
  } else if (!k.tokens.empty()) {
    data.tokens = found(k.tokens, e);
    data.validation = found(k.validation, e);
    data.length = NpyIntegers(data.tokens).cols();
    data.says = fs::path(k.tokens).filename().string();
  } else {
    data.folder = found(k.folder, e);
    if (e.beyond > 0) longer_rows(k, {}, 0, e.beyond, 0);
    data.says = fs::path(data.folder).filename().string();
    if (e.run.contains("batch")) data.length = e.run["batch"].value("length", int64_t{0});
    if (data.length < 2)
      fail(ErrorKind::invalid, "data.folder: needs run.batch.length: tokens of a row");
  }
  return data;
}

Data make_data(const Experiment& e, const fs::path& store, int64_t tokens, int64_t sequences) {
  const DataKeys k = keys_of(e);
  Data data = describe_data(e);
  if (!data.folder.empty()) {
    data.fingerprint = "folder " + DataFolder::open(data.folder)->manifest().fingerprint;
    return data;
  }
  const auto seed = static_cast<uint64_t>(k.seed);
  const int64_t steps = (tokens + data.length * sequences - 1) / (data.length * sequences);
  // What the rows are made from; of files their bytes count, wherever they lie.
  Json key = {{"data", e.data}, {"version", 1}};
  Texts texts;
  std::unique_ptr<Task> task;
  int64_t rows = 0;
  if (!k.task.empty()) {
    task = make_task(k.task, k.parameters, seed);
    rows = k.rows > 0 ? k.rows : steps * sequences;
    key["rows"] = rows;
  } else if (!k.text.empty()) {
    texts = read_texts(found(k.text, e), k.held_out);
    key["data"].erase("text");
    key["bytes"] = hash_of(texts.train) + hash_of(texts.held_out) + hash_of(texts.labels);
    data.says += fmt::format(" ({} documents, {} bytes)", texts.documents,
                             texts.train.size() + texts.held_out.size());
  } else {
    key["bytes"] = hash_of(read_file(data.tokens)) + hash_of(read_file(data.validation));
    key["data"].erase("tokens");
    key["data"].erase("validation");
  }
  key["data"].erase("order");
  if (e.beyond > 0) key["beyond"] = e.beyond;
  if (e.events.count > 0) key["events"] = {e.events.count, e.events.longest, steps, sequences};
  data.fingerprint = hex(hashed(key.dump()));
  if (!k.tokens.empty() && e.events.count == 0 && e.beyond == 0) return data;

  const fs::path folder = store / "data" / data.fingerprint;
  data.tokens = (folder / "tokens.npy").string();
  const std::string validation = data.validation;
  data.validation = (folder / "validation.npy").string();
  const bool answers = task != nullptr && k.task != "markov";
  if (answers) data.answers = (folder / "answers.npy").string();
  if (!texts.names.empty()) {
    data.domains = (folder / "domains.npy").string();
    data.domain_names = texts.names;
  }
  if (e.beyond > 0) data.beyond = (folder / "beyond.npy").string();
  std::error_code code;
  if (fs::exists(folder / "about.json", code)) return data;
  TaskRows train = task                  ? rows_of(*task, rows, seed, false)
                   : texts.train.empty() ? read_rows(found(k.tokens, e))
                                         : rows_of_bytes(texts.train, k.length, k.text);
  const TaskRows held = task                  ? rows_of(*task, k.validation_rows, seed, true)
                        : texts.train.empty() ? read_rows(validation)
                                              : rows_of_bytes(texts.held_out, k.length, k.text);
  if (e.events.count > 0)
    put_events(train, e.events, data.vocab > 0 ? data.vocab : vocab_of(train), seed, steps,
               sequences);
  fs::create_directories(folder, code);
  if (code)
    fail(ErrorKind::io, "{}: cannot create the folder: {}", folder.string(), code.message());
  write_npy(data.tokens, train.rows, train.length, train.ids);
  write_npy(data.validation, held.rows, held.length, held.ids);
  if (answers) write_npy(data.answers, held.rows, held.length, held.answers);
  if (!data.domains.empty())
    write_npy(data.domains, held.rows, held.length, std::span(texts.labels).first(held.ids.size()));
  if (e.beyond > 0) {
    const TaskRows longer = longer_rows(k, texts, data.length, e.beyond, k.seed);
    write_npy(data.beyond, longer.rows, longer.length, longer.ids);
  }
  write_file(folder / "about.json", key.dump(1) + "\n");
  return data;
}

void write_npy(const fs::path& file, int64_t rows, int64_t length,
               std::span<const int32_t> values) {
  const std::string header = npy_header("<i4", fmt::format("({}, {})", rows, length));
  OutputFile out(file, static_cast<int64_t>(header.size() + values.size_bytes()));
  out.write(header);
  out.write(values.data(), values.size_bytes());
  out.commit();
}

}  // namespace ashlar::lab
