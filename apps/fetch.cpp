// ashlar fetch: a model of the Hugging Face hub, or of a mirror, into the local cache.
#include "hub/fetch.h"

#include <cstdio>

#include "apps/commands.h"

namespace ashlar::app {
namespace {

struct FetchCommand {
  std::string repository;
  FetchOptions options;
};

void run_fetch(FetchCommand& o) {
  o.options.progress = fetch_progress();
  const auto snapshot = fetch_model(o.repository, o.options);
  o.options.progress = {};
  say_written(snapshot);
  print_line(snapshot.string());
}

}  // namespace

void add_fetch(CLI::App& app) {
  auto [command, o] = add_command(
      app, "fetch", run_fetch,
      "fetch a model of the Hugging Face hub into the local cache and print where it lies; "
      "HF_ENDPOINT names a mirror, HF_HOME the cache, HF_TOKEN who asks");
  add_value(command, "repository", o.repository, "ORG/NAME", "org/name")->required();
  add_value(command, "files", o.options.files, "FILE",
            "files of it (default: config, tokenizer and one form of the weights)");
  add_value(command, "--revision", o.options.revision, "NAME", "branch, tag or commit")
      ->capture_default_str();
  command.footer(
      "Examples:\n"
      "  ashlar fetch Qwen/Qwen3-0.6B\n"
      "  HF_ENDPOINT=http://mirror.example ashlar fetch org/name --revision v1.0");
}

}  // namespace ashlar::app
