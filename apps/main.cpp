// ashlar: the command. Declares all commands, runs the chosen one, turns errors into one message
// and an exit code.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/describe.h"
#include "apps/flags.h"
#include "apps/terminal.h"
#include "apps/usage.h"
#include "base/error.h"
#include "embedded/data.h"

namespace {

constexpr const char* kAbout =
    "Ashlar holds every modern open LLM architecture as one blueprint and reads it in many ways: "
    "run it, count it, plan it, draw it, compare it, differentiate it.\n\n"
    "MODEL is a Hugging Face folder, a .gguf file, a blueprint file (.json), a finished run's "
    "folder, the name of a released model (ashlar show --list), or org/name of the Hugging Face "
    "hub. Where weights are needed, --random SEED draws random ones for a blueprint.";

constexpr const char* kFooter =
    "Examples:\n"
    "  ashlar run model.gguf \"The sea is\" --max-tokens 40\n"
    "  ashlar chat ./SmolLM2-135M-Instruct\n"
    "  ashlar count deepseek-v3 --context 32k\n"
    "  ashlar plan qwen3-8b --weights q4_k_m\n"
    "  ashlar compare olmo-2-7b llama-3.1-8b\n"
    "  ashlar draw gemma-3-1b -o gemma.svg\n\n"
    "Whole numbers may be written 32k (32,000), 128Ki (131,072), 2M, 1e5.\n\n"
    "Exit codes: 0 done; 1 the model, file or request is at fault (one message on stderr); 2 "
    "wrong usage; 3 memory or disk does not suffice; 4 a check failed (verify); 130 interrupted.";

/// A message that quotes a file may be as long as the file wants.
std::string shortened(const std::string& message) {
  constexpr size_t kMost = 4000;
  if (message.size() <= kMost) return message;
  return fmt::format("{} ... ({} more bytes)", message.substr(0, kMost), message.size() - kMost);
}

void complain(const std::string& message) { ashlar::app::say("ashlar: " + shortened(message)); }

int wrong_usage(const std::string& message) {
  complain(message);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ashlar::app;
  CLI::App app(kAbout, "ashlar");
  app.footer(kFooter);
  app.set_version_flag("--version", "ashlar " ASHLAR_VERSION);
  app.require_subcommand(1);
  app.add_option_function<std::string>(
         "--data", [](const std::string& folder) { ashlar::set_data_folder(folder); },
         "folder with blueprints/, machines/, claims/, cards/ to use instead of those in the "
         "program (default: $ASHLAR_DATA)")
      ->type_name("DIR");
  for (AddCommand* add :
       {add_show,     add_run,        add_chat,       add_tokenize, add_detokenize, add_render,
        add_logits,   add_perplexity, add_convert,    add_verify,   add_count,      add_plan,
        add_probe,    add_bench,      add_profile,    add_draw,     add_explain,    add_compare,
        add_report,   add_claims,     add_gradients,  add_train,    add_data,       add_tokenizer,
        add_evaluate, add_runs,       add_experiment, add_fetch})
    add(app);
  add_descriptions(app);
  set_program(app);
  finish_usage(app);
  if (argc < 2) {
    std::printf("%s", first_screen().c_str());
    return 0;
  }
  // `ashlar help COMMAND` is `ashlar COMMAND --help`.
  std::vector<char*> words(argv, argv + argc);
  std::string help = "--help";
  if (std::string_view(words[1]) == "help") {
    words.erase(words.begin() + 1);
    words.resize(std::min<size_t>(words.size(), 2));
    words.push_back(help.data());
    argc = static_cast<int>(words.size());
    argv = words.data();
  }
  if (const std::string message = unknown_command(app, argc, argv); !message.empty())
    return wrong_usage(message);
  std::signal(SIGPIPE, SIG_DFL);  // a reader that has had enough ends this quietly
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of writing
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      complain("the output could not be written (is the disk full?)");
      return 3;
    }
    return 0;
  } catch (const CLI::ExtrasError& e) {
    const std::string message = unknown_option(app, argc, argv);
    return wrong_usage(message.empty() ? e.what() : message);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    // A word that is no option leaves what belongs to it in the place of arguments.
    const std::string message = unknown_option(app, argc, argv);
    return wrong_usage(
        message.empty() ? fmt::format("{}; ashlar {} --help teaches", e.what(), argv[1]) : message);
  } catch (const Exit& e) {
    std::fflush(stdout);
    return e.code;
  } catch (const ashlar::Error& e) {
    std::fflush(stdout);
    complain(with_flags(e.what()));
    return e.kind() == ashlar::ErrorKind::resource ? 3 : 1;
  } catch (const std::bad_alloc&) {
    complain("out of memory: try a smaller model, --context or --weights");
    return 3;
  } catch (const std::exception& e) {
    complain(e.what());
    return 1;
  }
}
