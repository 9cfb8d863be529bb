// What choosing a token costs, by options, for a vocabulary of random logits:
//   bench_sampling [WORDS]      WORDS: 262,144 if not given
// Other memory is written between two choices, so that logits come from where a step leaves them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "run/sampler.h"

using namespace ashlar;

int main(int count, char** arguments) {
  constexpr int kRepeats = 200;
  const auto words = count > 1 ? std::max(1L, std::atol(arguments[1])) : 262144L;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(static_cast<size_t>(words)), other(size_t{8} << 20);
  for (float& x : logits) x = normal(random);
  std::vector<int32_t> history(512);
  for (int32_t& id : history) id = static_cast<int32_t>(random() % logits.size());

  const std::vector<std::pair<std::string, SamplingOptions>> cases = {
      {"temperature 0", {.temperature = 0}},
      {"temperature 1", {.temperature = 1}},
      {"temperature 1, top_k 40", {.temperature = 1, .top_k = 40}},
      {"temperature 1, top_k 20000", {.temperature = 1, .top_k = 20000}},
      {"temperature 1, top_p 0.95", {.temperature = 1, .top_p = 0.95f}},
      {"temperature 1, min_p 0.05", {.temperature = 1, .min_p = 0.05f}},
      {"temperature 1, top_k 20000, top_p 0.9", {.temperature = 1, .top_k = 20000, .top_p = 0.9f}},
      {"temperature 2, top_p 0.9", {.temperature = 2, .top_p = 0.9f}},
      {"temperature 1, top_k 64, top_p 0.95, min_p 0.01, all penalties",
       {.temperature = 1,
        .top_k = 64,
        .top_p = 0.95f,
        .min_p = 0.01f,
        .repetition_penalty = 1.1f,
        .presence_penalty = 0.1f,
        .frequency_penalty = 0.1f}},
      {"temperature 2, top_k 20000, top_p 0.9, repetition_penalty 1.1",
       {.temperature = 2, .top_k = 20000, .top_p = 0.9f, .repetition_penalty = 1.1f}},
  };
  std::printf("%ld words, milliseconds: median, 90th of 100\n", words);
  for (const auto& [name, options] : cases) {
    Sampler sampler(options);
    std::vector<double> seconds;
    for (int i = 0; i < kRepeats; ++i) {
      for (float& x : other) x += 1;
      for (float& x : logits) x += 0;
      const auto from = std::chrono::steady_clock::now();
      sampler.next(logits, history, 256);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
      seconds.push_back(took.count());
    }
    std::sort(seconds.begin(), seconds.end());
    std::printf("%-64s %.3f %.3f\n", name.c_str(), 1e3 * seconds[kRepeats / 2],
                1e3 * seconds[kRepeats * 9 / 10]);
  }
}
