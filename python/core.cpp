// ashlar._core: the library for Python, by pybind11. The package's Python files (python/ashlar)
// give it its face; here texts of JSON stand for structures.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <mutex>

#include "ashlar/ashlar.h"

namespace py = pybind11;

namespace {

using namespace ashlar;

/// An array of NumPy over the library's own numbers, which it keeps alive; not writeable, as they
/// may be those of a mapped file.
py::array array_of(const FloatArray& a) {
  auto* owner = new std::shared_ptr<const void>(a.owner);
  const py::capsule base(owner,
                         [](void* p) { delete static_cast<std::shared_ptr<const void>*>(p); });
  py::array_t<float> array(std::vector<py::ssize_t>(a.sizes.begin(), a.sizes.end()),
                           a.values.data(), base);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

Format format_of(const std::string& name, const char* option) {
  const auto format = format_named(name);
  if (!format)
    throw Error(ErrorKind::invalid, "`" + std::string(option) +
                                        "`: expected a format such as f16, found \"" + name + "\"");
  return *format;
}

/// The Python signals (Ctrl-C) that have come, between two steps of a long evaluation.
struct Signals {
  bool raised = false;
  bool operator()() {
    const py::gil_scoped_acquire gil;
    raised = raised || PyErr_CheckSignals() != 0;
    return raised;
  }
};

/// An engine that threads of Python may share: their calls wait for each other.
struct SharedEngine {
  Engine engine;
  std::mutex mutex;
  SharedEngine(const Model& model, const EngineOptions& options) : engine(model, options) {}
};

/// Of a name, or of a model that drafts; none for "".
std::shared_ptr<Drafter> drafter_of(SharedEngine& shared, const std::string& name,
                                    const Model* model) {
  const py::gil_scoped_release release;
  const std::lock_guard lock(shared.mutex);
  Engine& engine = shared.engine;
  if (model != nullptr) {
    EngineOptions options;
    options.context = engine.context();
    options.threads = engine.threads();
    return model_drafter(*model, engine.model(), options);
  }
  if (name.empty() || name == "off") return nullptr;
  if (name == "lookup") return lookup_drafter();
  if (name == "mtp") return mtp_drafter(engine);
  throw Error(ErrorKind::invalid,
              "`draft`: expected lookup, mtp, off or a Model, found \"" + name + "\"");
}

struct SharedStream {
  std::shared_ptr<SharedEngine> engine;
  std::shared_ptr<Signals> signals = std::make_shared<Signals>();
  std::unique_ptr<Stream> stream;

  SharedStream(std::shared_ptr<SharedEngine> of, const std::vector<TokenId>& prompt,
               GenerateOptions options)
      : engine(std::move(of)) {
    options.interrupted = [signals = signals] { return (*signals)(); };
    const py::gil_scoped_release release;  // whoever holds the mutex may want to look at signals
    const std::lock_guard lock(engine->mutex);
    stream = std::make_unique<Stream>(engine->engine, prompt, options);
  }
  ~SharedStream() {
    const py::gil_scoped_release release;
    const std::lock_guard lock(engine->mutex);
    stream.reset();
  }
  std::optional<std::string> next() {
    std::optional<std::string> text;
    {
      const py::gil_scoped_release release;
      const std::lock_guard lock(engine->mutex);
      text = stream->next();
    }
    if (signals->raised) throw py::error_already_set();
    return text;
  }
  void cancel() {
    const py::gil_scoped_release release;
    const std::lock_guard lock(engine->mutex);
    stream->cancel();
  }
};

/// The text that a stream has made; text of an incomplete character is bytes that are no UTF-8.
py::str text_of(const std::string& bytes) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<py::ssize_t>(bytes.size()), "replace"));
}

std::vector<std::optional<py::str>> advance(const std::vector<SharedStream*>& streams) {
  std::vector<Stream*> all;
  for (SharedStream* s : streams) {
    if (s->engine != streams[0]->engine)
      throw Error(ErrorKind::invalid, "the streams belong to several engines");
    all.push_back(s->stream.get());
  }
  std::vector<std::optional<std::string>> texts;
  if (!streams.empty()) {
    const py::gil_scoped_release release;
    const std::lock_guard lock(streams[0]->engine->mutex);
    texts = Stream::advance(all);
  }
  for (SharedStream* s : streams)
    if (s->signals->raised) throw py::error_already_set();
  std::vector<std::optional<py::str>> out;
  for (const auto& text : texts) out.push_back(text ? std::optional(text_of(*text)) : std::nullopt);
  return out;
}

Chat chat_of(const std::string& messages, const std::string& system, const std::string& tools,
             const std::string& documents, const std::vector<std::string>& variables,
             bool add_generation_prompt, const std::optional<std::string>& continued_field,
             const std::string& chat_template, std::optional<int64_t> now) {
  return {.messages = {},
          .messages_json = messages,
          .system = system,
          .tools_json = tools,
          .documents_json = documents,
          .variables = variables,
          .add_generation_prompt = add_generation_prompt,
          .continued_field = continued_field,
          .chat_template = chat_template,
          .now = now};
}

Machine machine_of(const std::string& name) {
  return name.empty() ? this_machine() : load_machine(name);
}

using Texts = std::pair<std::string, std::string>;  // a reading as JSON, and for people

template <class Of>
Texts count_texts(const Of& of, int64_t tokens, int64_t context, int64_t sequences, bool mtp,
                  const std::string& weights, const std::string& state) {
  const Count c = count(of, {.tokens = tokens,
                             .context = context,
                             .sequences = sequences,
                             .weights = weights,
                             .formats = {},
                             .state = format_of(state, "state"),
                             .mtp = mtp,
                             .kernels = {}});
  return {count_json(c), count_text(c)};
}

template <class Of>
Texts plan_texts(const Of& of, const std::string& machine, int64_t context, int64_t sequences,
                 int64_t depth, int64_t prompt, int64_t generate, const std::string& weights,
                 int64_t devices, const std::string& state, bool packed_weights) {
  PredictOptions options;
  options.context = context;
  options.sequences = sequences;
  options.depth = depth;
  options.prompt = prompt;
  options.generate = generate;
  options.weights = weights;
  options.devices = devices;
  options.state = format_of(state, "state");
  options.packed_weights = packed_weights;
  const Prediction p = predict(of, machine_of(machine), options);
  return {prediction_json(p), prediction_text(p)};
}

DrawOptions draw_options(const std::string& format, bool tall, int columns) {
  if (format != "svg" && format != "mermaid" && format != "text")
    throw Error(ErrorKind::invalid,
                "`format`: expected svg, mermaid or text, found \"" + format + "\"");
  return {.format = format == "svg"       ? DrawFormat::svg
                    : format == "mermaid" ? DrawFormat::mermaid
                                          : DrawFormat::text,
          .tall = tall,
          .columns = columns};
}

void add_errors(py::module_& m) {
  // One class per kind, below Error.
  static py::handle kinds[5];
  const py::exception<Error> base(m, "Error", PyExc_RuntimeError);
  const std::pair<const char*, PyObject*> names[] = {
      {"ReadError", PyExc_OSError},
      {"FormatError", PyExc_ValueError},
      {"UnsupportedError", PyExc_NotImplementedError},
      {"InvalidError", PyExc_ValueError},
      {"ResourceError", PyExc_MemoryError}};
  for (size_t i = 0; i < 5; ++i) {
    const std::string name = std::string("ashlar.") + names[i].first;
    const py::tuple bases = py::make_tuple(base, py::handle(names[i].second));
    PyObject* made = PyErr_NewException(name.c_str(), bases.ptr(), nullptr);
    if (made == nullptr) throw py::error_already_set();
    kinds[i] = made;
    m.add_object(names[i].first, made);
  }
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error& e) {
      PyErr_SetString(kinds[static_cast<size_t>(e.kind())].ptr(), e.what());
    }
  });
}

void add_readings(py::module_& m) {
  using namespace pybind11::literals;
  const auto free = py::call_guard<py::gil_scoped_release>();
  m.def("blueprint_names", &Blueprint::names);
  m.def("machine_names", &machine_names);
  m.def("use_data_folder", &use_data_folder, "folder"_a);
  const auto add_counts = [&](auto count, auto plan) {
    m.def("count", count, "model"_a, py::kw_only(), "tokens"_a, "context"_a, "sequences"_a, "mtp"_a,
          "weights"_a, "state"_a, free);
    m.def("plan", plan, "model"_a, py::kw_only(), "machine"_a, "context"_a, "sequences"_a,
          "depth"_a, "prompt"_a, "generate"_a, "weights"_a, "devices"_a, "state"_a,
          "packed_weights"_a, free);
  };
  add_counts(&count_texts<Blueprint>, &plan_texts<Blueprint>);
  add_counts(&count_texts<Model>, &plan_texts<Model>);
  m.def(
      "compare",
      [](const std::vector<Blueprint>& models, int64_t context, const std::string& weights,
         const std::string& state, const std::string& machine) {
        CompareOptions options;
        options.context = context;
        options.weights = weights;
        options.state = format_of(state, "state");
        if (!machine.empty()) options.machine = load_machine(machine);
        const Comparison c = compare(models, options);
        return std::tuple(comparison_json(c), comparison_text(c), comparison_svg(c));
      },
      "models"_a, py::kw_only(), "context"_a, "weights"_a, "state"_a, "machine"_a, free);
  m.def(
      "explain",
      [](const Blueprint& model, const std::string& scope, int64_t context,
         const std::string& weights, const std::string& state) {
        const Explanation e =
            explain(model, scope,
                    {.context = context, .weights = weights, .state = format_of(state, "state")});
        return Texts(explanation_json(e), explanation_text(e));
      },
      "model"_a, "scope"_a, py::kw_only(), "context"_a, "weights"_a, "state"_a, free);
  m.def(
      "draw",
      [](const std::vector<Blueprint>& models, const std::string& format, bool tall, int columns) {
        return draw(models, draw_options(format, tall, columns));
      },
      "models"_a, py::kw_only(), "format"_a, "tall"_a, "columns"_a, free);
  m.def(
      "draw_graph",
      [](const Blueprint& model, bool training, bool recompute, bool mtp,
         const std::string& format) {
        return draw_graph(model,
                          recompute  ? DrawnGraph::recomputed
                          : training ? DrawnGraph::training
                                     : DrawnGraph::forward,
                          draw_options(format, false, 100), mtp);
      },
      "model"_a, py::kw_only(), "training"_a, "recompute"_a, "mtp"_a, "format"_a, free);
  m.def(
      "report", [](const std::vector<Blueprint>& models) { return report(models); }, "models"_a,
      free);
  m.def("claim_ids", &claim_ids);
  m.def("settle_claims", [](const std::vector<std::string>& ids) {
    py::list claims;
    for (const Claim& c : settle_claims(ids)) {
      py::dict found;
      for (const auto& [name, value] : c.found) found[py::str(name)] = value;
      claims.append(py::dict("id"_a = c.id, "statement"_a = c.statement, "source"_a = c.source,
                             "verdict"_a = c.verdict, "condition"_a = c.condition,
                             "found"_a = found));
    }
    return claims;
  });
}

void add_blueprint(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<Blueprint>(m, "Blueprint")
      .def_static("load", &Blueprint::load, "source"_a, py::call_guard<py::gil_scoped_release>())
      .def_static(
          "from_json",
          [](const std::string& text) { return Blueprint::from_json(text, "blueprint"); }, "text"_a)
      .def_property_readonly("name", &Blueprint::name)
      .def_property_readonly("family", &Blueprint::family)
      .def_property_readonly("vocab", &Blueprint::vocab)
      .def_property_readonly("width", &Blueprint::width)
      .def_property_readonly("layers", &Blueprint::layers)
      .def_property_readonly("context", &Blueprint::context)
      .def("json", &Blueprint::json)
      .def(
          "differences",
          [](const Blueprint& a, const Blueprint& b) {
            std::vector<std::tuple<std::string, std::string, std::string>> all;
            for (const Difference& d : a.differences(b)) all.emplace_back(d.path, d.a, d.b);
            return all;
          },
          "other"_a)
      .def("__eq__", [](const Blueprint& a, const Blueprint& b) { return a == b; });
}

void add_model(py::module_& m) {
  using namespace pybind11::literals;
  const auto free = py::call_guard<py::gil_scoped_release>();
  py::class_<Model>(m, "Model")
      .def_static(
          "load",
          [](const std::string& source, std::optional<uint64_t> random, const std::string& weights,
             const std::string& adapter) {
            LoadOptions options;
            options.random = random;
            options.weights = weights;
            options.adapter = adapter;
            return Model::load(source, options);
          },
          "source"_a, py::kw_only(), "random"_a, "weights"_a, "adapter"_a, free)
      .def_static("load_text", &Model::load_text, "source"_a, free)
      .def_property_readonly("source", &Model::source)
      .def_property_readonly("blueprint", &Model::blueprint, py::return_value_policy::copy)
      .def_property_readonly("has_weights", &Model::has_weights)
      .def_property_readonly("notices", &Model::notices)
      .def_property_readonly("parameters", &Model::parameters)
      .def(
          "parameter",
          [](const Model& m, const std::string& n) { return array_of(m.parameter(n)); }, "name"_a)
      .def_property_readonly("has_tokenizer", &Model::has_tokenizer)
      .def_property_readonly("tokens", &Model::tokens)
      .def(
          "tokenize",
          [](const Model& model, const std::string& text, bool add_special, bool parse_special) {
            return model.tokenize(text, {add_special, parse_special});
          },
          "text"_a, py::kw_only(), "add_special"_a, "parse_special"_a, free)
      .def(
          "detokenize",
          [](const Model& model, const std::vector<TokenId>& ids, bool skip_special) {
            return text_of(model.detokenize(ids, skip_special));
          },
          "ids"_a, py::kw_only(), "skip_special"_a)
      .def(
          "piece", [](const Model& m, TokenId id) { return text_of(m.piece(id)); }, "id"_a)
      .def("token", &Model::token, "piece"_a)
      .def_property_readonly("end_tokens", &Model::end_tokens)
      .def_property_readonly("has_chat_template", &Model::has_chat_template)
      .def_property_readonly("sampling", &Model::sampling)
      .def(
          "render",
          [](const Model& model, const Chat& chat) { return text_of(model.render(chat)); },
          "chat"_a)
      .def("chat_ids", &Model::chat_ids, "chat"_a, free)
      .def(
          "gradients",
          [](const Model& model, const std::vector<TokenId>& ids, int threads,
             bool recompute_layers) {
            Gradients g;
            {
              const py::gil_scoped_release release;
              GradientOptions options;
              options.threads = threads;
              options.recompute_layers = recompute_layers;
              g = model.gradients(ids, options);
            }
            py::dict tensors;
            for (const auto& [name, array] : g.tensors) tensors[py::str(name)] = array_of(array);
            return std::pair(g.loss, tensors);
          },
          "ids"_a, py::kw_only(), "threads"_a, "recompute_layers"_a);
  py::class_<Chat>(m, "Chat").def(
      py::init(&chat_of), "messages"_a, py::kw_only(), "system"_a, "tools"_a, "documents"_a,
      "variables"_a, "add_generation_prompt"_a, "continued_field"_a, "chat_template"_a, "now"_a);
}

void add_engine(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<SharedEngine, std::shared_ptr<SharedEngine>>(m, "Engine")
      .def(py::init([](const Model& model, int threads, const std::string& kernels, int64_t context,
                       int64_t sequences, int64_t chunk, bool f32_activations, bool deterministic,
                       bool packed_weights, bool mtp, bool pinned, const std::string& state) {
             EngineOptions options;
             options.threads = threads;
             options.kernels = kernels;
             options.context = context;
             options.sequences = sequences;
             options.chunk = chunk;
             options.f32_activations = f32_activations;
             options.deterministic = deterministic;
             options.packed_weights = packed_weights;
             options.mtp = mtp;
             options.pinned = pinned;
             if (!state.empty()) options.state = format_of(state, "state");
             const py::gil_scoped_release release;
             return std::make_shared<SharedEngine>(model, options);
           }),
           "model"_a, py::kw_only(), "threads"_a, "kernels"_a, "context"_a, "sequences"_a,
           "chunk"_a, "f32_activations"_a, "deterministic"_a, "packed_weights"_a, "mtp"_a,
           "pinned"_a, "state"_a)
      .def(
          "logits",
          [](SharedEngine& e, const std::vector<TokenId>& ids, bool last) {
            FloatArray array;
            {
              const py::gil_scoped_release release;
              const std::lock_guard lock(e.mutex);
              array = e.engine.logits(ids, last ? Run::Logits::last : Run::Logits::all);
            }
            return array_of(array);
          },
          "ids"_a, py::kw_only(), "last"_a)
      .def_property_readonly("model", [](const SharedEngine& e) { return e.engine.model(); })
      .def_property_readonly("vocab", [](const SharedEngine& e) { return e.engine.vocab(); })
      .def_property_readonly("context", [](const SharedEngine& e) { return e.engine.context(); })
      .def_property_readonly("threads", [](const SharedEngine& e) { return e.engine.threads(); })
      .def_property_readonly("kernels",
                             [](const SharedEngine& e) { return std::string(e.engine.kernels()); })
      .def_property_readonly("state_bytes",
                             [](const SharedEngine& e) { return e.engine.state_bytes(); })
      .def_property_readonly("activation_bytes",
                             [](const SharedEngine& e) { return e.engine.activation_bytes(); });
  py::class_<SharedStream>(m, "Stream")
      .def(py::init([](std::shared_ptr<SharedEngine> engine, const std::vector<TokenId>& prompt,
                       int64_t max_tokens, std::vector<std::string> stop, bool ignore_end,
                       float temperature, int top_k, float top_p, float min_p,
                       float repetition_penalty, float presence_penalty, float frequency_penalty,
                       std::map<int32_t, float> logit_bias, uint64_t seed, const std::string& draft,
                       const Model* draft_model, int64_t draft_tokens) {
             GenerateOptions options;
             options.max_tokens = max_tokens;
             options.stop = std::move(stop);
             options.ignore_end = ignore_end;
             options.sampling = {.temperature = temperature,
                                 .top_k = top_k,
                                 .top_p = top_p,
                                 .min_p = min_p,
                                 .repetition_penalty = repetition_penalty,
                                 .presence_penalty = presence_penalty,
                                 .frequency_penalty = frequency_penalty,
                                 .logit_bias = std::move(logit_bias),
                                 .seed = seed};
             options.drafter = drafter_of(*engine, draft, draft_model);
             options.draft_tokens = draft_tokens;
             return std::make_unique<SharedStream>(std::move(engine), prompt, options);
           }),
           "engine"_a, "prompt"_a, py::kw_only(), "max_tokens"_a, "stop"_a, "ignore_end"_a,
           "temperature"_a, "top_k"_a, "top_p"_a, "min_p"_a, "repetition_penalty"_a,
           "presence_penalty"_a, "frequency_penalty"_a, "logit_bias"_a, "seed"_a, "draft"_a,
           "draft_model"_a, "draft_tokens"_a)
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__",
           [](SharedStream& s) {
             const auto text = s.next();
             if (!text) throw py::stop_iteration();
             return text_of(*text);
           })
      .def("cancel", &SharedStream::cancel)
      .def_static("advance", &advance, "streams"_a)
      .def_property_readonly("ended", [](const SharedStream& s) { return s.stream->ended(); })
      .def_property_readonly("ids", [](const SharedStream& s) { return s.stream->result().ids; })
      .def_property_readonly("text",
                             [](const SharedStream& s) { return text_of(s.stream->result().text); })
      .def_property_readonly("stop",
                             [](const SharedStream& s) -> std::optional<std::string> {
                               if (!s.stream->ended()) return std::nullopt;
                               return std::string(to_string(s.stream->result().stop));
                             })
      .def_property_readonly("prompt_tokens",
                             [](const SharedStream& s) { return s.stream->result().prompt_tokens; })
      .def_property_readonly(
          "drafted_tokens", [](const SharedStream& s) { return s.stream->result().drafted_tokens; })
      .def_property_readonly("accepted_tokens", [](const SharedStream& s) {
        return s.stream->result().accepted_tokens;
      });
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.attr("version") = std::string(version());
  add_errors(m);
  add_blueprint(m);
  add_model(m);
  add_engine(m);
  add_readings(m);
}
