// ashlar: the command. Declares all commands, runs the chosen one, turns errors into one message
// and an exit code.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "apps/commands.h"
#include "apps/describe.h"
#include "apps/flags.h"
#include "apps/training_commands.h"
#include "base/edit_distance.h"
#include "base/error.h"
#include "embedded/data.h"

namespace {

constexpr const char* kAbout =
    "Ashlar holds every modern open LLM architecture as one blueprint and reads it in many ways: "
    "run it, count it,\n"
    "plan it, draw it, compare it, differentiate it.\n\n"
    "MODEL is a Hugging Face folder, a .gguf file, a blueprint file (.json), or the name of a "
    "released model\n"
    "(ashlar show --list). Where weights are needed, --random SEED makes them up for a blueprint.";

constexpr const char* kFooter =
    "\nExamples:\n"
    "  ashlar run model.gguf \"The sea is\" --max-tokens 40\n"
    "  ashlar chat ./SmolLM2-135M-Instruct\n"
    "  ashlar count deepseek-v3 --context 32768\n"
    "  ashlar plan qwen3-8b --weights q4_k_m\n"
    "  ashlar compare olmo-2-7b llama-3.1-8b\n"
    "  ashlar draw gemma-3-1b -o gemma.svg\n"
    "\nExit codes: 0 done; 1 the model, file or request is at fault (one message on stderr); 2 "
    "wrong usage;\n"
    "3 memory or disk does not suffice; 4 a check failed (verify); 130 interrupted.";

/// A message when the first word is meant as a command and is none; else empty.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands({})) names.push_back(c->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return "";
  return fmt::format("there is no command \"{}\", the nearest is {}; ashlar --help lists them",
                     argv[1], ashlar::nearest(argv[1], names, 1).at(0));
}

/// A message that quotes a file may be as long as the file wants.
std::string shortened(const std::string& message) {
  constexpr size_t kMost = 4000;
  if (message.size() <= kMost) return message;
  return fmt::format("{} ... ({} more bytes)", message.substr(0, kMost), message.size() - kMost);
}

int code_of(ashlar::ErrorKind kind) { return kind == ashlar::ErrorKind::resource ? 3 : 1; }

}  // namespace

int main(int argc, char** argv) {
  using namespace ashlar::app;
  CLI::App app(kAbout, "ashlar");
  app.footer(kFooter);
  app.set_version_flag("--version", "ashlar " ASHLAR_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(38);
  app.add_option_function<std::string>(
         "--data", [](const std::string& folder) { ashlar::set_data_folder(folder); },
         "folder with blueprints/, machines/, claims/, cards/ to use instead of those in the "
         "program "
         "(default: $ASHLAR_DATA)")
      ->type_name("DIR");
  add_show(app);
  add_run(app);
  add_chat(app);
  add_tokenize(app);
  add_detokenize(app);
  add_render(app);
  add_logits(app);
  add_perplexity(app);
  add_convert(app);
  add_verify(app);
  add_count(app);
  add_plan(app);
  add_probe(app);
  add_bench(app);
  add_profile(app);
  add_draw(app);
  add_explain(app);
  add_compare(app);
  add_report(app);
  add_claims(app);
  add_gradients(app);
  add_train(app);
  add_data(app);
  add_tokenizer(app);
  add_evaluate(app);
  add_runs(app);
  add_experiment(app);
  add_fetch(app);
  add_descriptions(app);
  set_program(app);
  if (const std::string message = unknown_command(app, argc, argv); !message.empty()) {
    std::fprintf(stderr, "ashlar: %s\n", message.c_str());
    return 2;
  }
  std::signal(SIGPIPE, SIG_DFL);  // a reader that has had enough ends this quietly
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of writing
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      std::fprintf(stderr, "ashlar: the output could not be written (is the disk full?)\n");
      return 3;
    }
    return 0;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const Exit& e) {
    std::fflush(stdout);
    return e.code;
  } catch (const ashlar::Error& e) {
    std::fflush(stdout);
    std::fprintf(stderr, "ashlar: %s\n", shortened(with_flags(e.what())).c_str());
    return code_of(e.kind());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "ashlar: out of memory: try a smaller model, --context or --weights\n");
    return 3;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "ashlar: %s\n", e.what());
    return 1;
  }
}
