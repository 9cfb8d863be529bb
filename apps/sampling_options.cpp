// Options of commands that generate text.
#include "apps/sampling_options.h"

#include <algorithm>
#include <charconv>

#include "apps/commands.h"
#include "base/error.h"
#include "generate/drafting.h"
#include "generate/mtp_drafter.h"

namespace ashlar::app {

void add_generation_options(CLI::App& command, GenerationFlags& flags) {
  flags.command = &command;
  GenerateOptions& o = flags.options;
  SamplingOptions& s = o.sampling;
  const std::string group = command.option_defaults()->get_group();
  command.option_defaults()->group("Generation");
  add_value(command, "-n,--max-tokens", o.max_tokens, "N", "most tokens generated")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 32));
  add_value(command, "--temperature", s.temperature, "X", "0 takes the most likely token (greedy)")
      ->capture_default_str();
  add_value(command, "--top-k", s.top_k, "K", "only the K most likely tokens; 0: all");
  add_value(command, "--top-p", s.top_p, "P",
            "only the most likely tokens that together reach this probability")
      ->capture_default_str();
  add_value(command, "--min-p", s.min_p, "P",
            "only tokens with at least this share of the best one's probability");
  add_value(command, "--repetition-penalty", s.repetition_penalty, "X",
            "divides the logits of tokens seen; 1: none");
  add_value(command, "--presence-penalty", s.presence_penalty, "X",
            "subtracted from the logits of tokens generated");
  add_value(command, "--frequency-penalty", s.frequency_penalty, "X", "the same, times how often");
  add_value(command, "--logit-bias", flags.bias, "ID=X",
            "added to the logit of a token; may be given several times");
  add_value(command, "--seed", s.seed, "N", "of the sampling: same seed, same output");
  add_value(command, "--stop", o.stop, "TEXT",
            "text that ends the answer; may be given several times");
  add_value(command, "--draft", flags.draft, "lookup|mtp|MODEL|off",
            "guess several tokens ahead, which the model then evaluates in one step; the text "
            "stays the same: lookup (copy what followed the last tokens before), mtp (the model's "
            "own layer for multi-token prediction), a smaller MODEL of the same vocabulary, or off")
      ->capture_default_str();
  add_value(command, "--draft-tokens", o.draft_tokens, "N", "most tokens guessed in a row")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command.add_flag("--ignore-end", o.ignore_end, "go on after the model's end token");
  command.option_defaults()->group(group);
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

bool set_sampling(const std::string& name, double value, SamplingOptions& options) {
  static const std::map<std::string_view, float SamplingOptions::*> kNumbers = {
      {"temperature", &SamplingOptions::temperature},
      {"top_p", &SamplingOptions::top_p},
      {"min_p", &SamplingOptions::min_p},
      {"repetition_penalty", &SamplingOptions::repetition_penalty}};
  const auto number = kNumbers.find(name);
  if (number != kNumbers.end()) options.*number->second = static_cast<float>(value);
  if (name == "top_k") options.top_k = static_cast<int>(value);
  return number != kNumbers.end() || name == "top_k";
}

void take_recommendations(const std::map<std::string, double>& sampling,
                          const GenerationFlags& flags, bool quiet, SamplingOptions& options) {
  std::string said;
  for (const auto& [name, value] : sampling) {
    std::string option = "--" + name;
    std::replace(option.begin(), option.end(), '_', '-');
    if (name == "do_sample" || flags.command->count(option) > 0) continue;
    set_sampling(name, value, options);
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
  const auto draft = std::make_shared<const Model>(load(drafting));
  const EngineOptions made = engine_options(drafting, *draft, engine.context());
  return model_drafter(draft, model, made);
}

std::string drafting_text(const Generation& result) {
  if (result.drafted_tokens == 0) return "";
  return fmt::format(", {} of {} drafted tokens accepted", result.accepted_tokens,
                     result.drafted_tokens);
}

void check_messages(const Json& messages, const std::string& where) {
  if (messages.is_array() && !messages.empty()) return;
  fail(ErrorKind::invalid,
       "{}: expected a JSON list of messages such as [{{\"role\": \"user\", \"content\": \"Hi\"}}]",
       where);
}

CLI::Option* add_variable_option(CLI::App& command, std::vector<std::string>& variables) {
  return add_value(command, "--var", variables, "NAME=JSON",
                   "a further variable of the chat template, such as enable_thinking=false; may be "
                   "given several times");
}

}  // namespace ashlar::app
