// Options of commands that generate text.
#include "apps/sampling_options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "generate/drafting.h"
#include "generate/mtp_drafter.h"

namespace ashlar::app {

void add_generation_options(CLI::App& command, GenerationFlags& flags) {
  flags.command = &command;
  GenerateOptions& o = flags.options;
  SamplingOptions& s = o.sampling;
  const char* group = "Generation";
  command.add_option("-n,--max-tokens", o.max_tokens, "most tokens generated")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 32))
      ->group(group);
  command.add_option("--temperature", s.temperature, "0 takes the most likely token (greedy)")
      ->type_name("X")
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-k", s.top_k, "only the K most likely tokens; 0: all")
      ->type_name("K")
      ->group(group);
  command
      .add_option("--top-p", s.top_p,
                  "only the most likely tokens that together reach this probability")
      ->type_name("P")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--min-p", s.min_p,
                  "only tokens with at least this share of the best one's probability")
      ->type_name("P")
      ->group(group);
  command
      .add_option("--repetition-penalty", s.repetition_penalty,
                  "divides the logits of tokens seen; 1: none")
      ->type_name("X")
      ->group(group);
  command
      .add_option("--presence-penalty", s.presence_penalty,
                  "subtracted from the logits of tokens generated")
      ->type_name("X")
      ->group(group);
  command.add_option("--frequency-penalty", s.frequency_penalty, "the same, times how often")
      ->type_name("X")
      ->group(group);
  command
      .add_option("--logit-bias", flags.bias,
                  "added to the logit of a token; may be given several times")
      ->type_name("ID=X")
      ->group(group);
  command.add_option("--seed", s.seed, "of the sampling: same seed, same output")
      ->type_name("N")
      ->group(group);
  command.add_option("--stop", o.stop, "text that ends the answer; may be given several times")
      ->type_name("TEXT")
      ->group(group);
  command
      .add_option(
          "--draft", flags.draft,
          "guess several tokens ahead, which the model then evaluates in one step; the text "
          "stays the same: lookup (copy what followed the last tokens before), mtp (the model's "
          "own layer for multi-token prediction), a smaller MODEL of the same vocabulary, or off")
      ->type_name("lookup|mtp|MODEL|off")
      ->capture_default_str()
      ->group(group);
  command.add_option("--draft-tokens", o.draft_tokens, "most tokens guessed in a row")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 64))
      ->group(group);
  command.add_flag("--ignore-end", o.ignore_end, "go on after the model's end token")->group(group);
}

GenerateOptions generation_options(const GenerationFlags& flags) {
  GenerateOptions options = flags.options;
  for (const std::string& item : flags.bias) {
    const size_t equals = item.find('=');
    int32_t id = 0;
    float value = 0;
    const char* end = item.data() + item.size();
    const char* middle = equals == std::string::npos ? end : item.data() + equals;
    const auto a = std::from_chars(item.data(), middle, id);
    const auto b = middle == end ? std::from_chars_result{end, std::errc::invalid_argument}
                                 : std::from_chars(middle + 1, end, value);
    if (a.ec != std::errc() || a.ptr != middle || b.ec != std::errc() || b.ptr != end) {
      fail(ErrorKind::invalid, "--logit-bias: expected ID=NUMBER such as 42=-5, found \"{}\"",
           item);
    }
    options.sampling.logit_bias[id] = value;
  }
  return options;
}

void take_recommendations(const std::map<std::string, double>& sampling,
                          const GenerationFlags& flags, bool quiet, SamplingOptions& options) {
  std::string said;
  for (const auto& [name, value] : sampling) {
    std::string option = "--" + name;
    std::replace(option.begin(), option.end(), '_', '-');
    if (name == "do_sample" || flags.command->get_option(option)->count() > 0) continue;
    const auto number = static_cast<float>(value);
    if (name == "temperature") options.temperature = number;
    if (name == "top_k") options.top_k = static_cast<int>(value);
    if (name == "top_p") options.top_p = number;
    if (name == "min_p") options.min_p = number;
    if (name == "repetition_penalty") options.repetition_penalty = number;
    said += fmt::format("{}{} {:g}", said.empty() ? "" : ", ", name, value);
  }
  if (!said.empty() && !quiet) say_note("sampling as the model's publisher recommends: " + said);
}

std::shared_ptr<Drafter> drafter_of(const std::string& name, const ModelOptions& options,
                                    const Model& model, Engine& engine) {
  if (name == "off") return nullptr;
  if (!engine.can_go_back()) {
    say_note(
        "this model's recurrent layers cannot go back to an earlier token: it runs without "
        "--draft");
    return nullptr;
  }
  if (name == "lookup") return lookup_drafter();
  if (name == "mtp") return mtp_drafter(engine);
  ModelOptions drafting = options;
  drafting.model = name;
  drafting.adapter.clear();
  drafting.context = 0;
  if (has_weights(name)) drafting.random.reset();
  auto draft = std::make_shared<const Model>(load(drafting));
  const EngineOptions made = engine_options(drafting, *draft, engine.context());
  return model_drafter(std::move(draft), model, made);
}

std::string drafting_text(const Generation& result) {
  if (result.drafted_tokens == 0) return "";
  return fmt::format(", {} of {} drafted tokens accepted", result.accepted_tokens,
                     result.drafted_tokens);
}

CLI::Option* add_variable_option(CLI::App& command, std::vector<std::string>& variables) {
  return command
      .add_option("--var", variables,
                  "a further variable of the chat template, such as enable_thinking=false; may be "
                  "given several times")
      ->type_name("NAME=JSON");
}

}  // namespace ashlar::app
