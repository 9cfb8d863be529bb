// The sampler's loops: equal in every bit for every instruction set, and to plain ones as far as
// floats allow.
#include "kernels/likelihood.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace ashlar::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> some_logits(int64_t n) {
  std::mt19937_64 random(static_cast<uint64_t>(n));
  std::normal_distribution<float> normal(0, 6);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) v = random() % 30 == 0 ? NAN : random() % 30 == 0 ? -kInf : normal(random);
  return x;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

struct Results {
  std::vector<float> maxima, e, kept;
  std::vector<double> sums, split_sums;
  std::vector<int32_t> between;
  int64_t count = 0, mass_count = 0;
  double mass = 0;

  Results(const LikelihoodLoops& loops, const std::vector<float>& x, float most) {
    const auto n = static_cast<int64_t>(x.size());
    const size_t blocks = (x.size() + kLikelihoodBlock - 1) / kLikelihoodBlock;
    maxima.resize(blocks), sums.resize(blocks), split_sums.resize(blocks), between.resize(blocks);
    e.resize(x.size()), kept.resize(x.size());
    loops.maxima(x.data(), n, maxima.data());
    loops.likelihoods(x.data(), n, most, 1.1f, 1e-9f, e.data(), sums.data());
    count = loops.count(x.data(), n, 2);
    mass_count = loops.mass(e.data(), n, 1e-4f, &mass);
    loops.split(e.data(), n, 1e-6f, 1e-3f, split_sums.data(), between.data());
    loops.keep(x.data(), n, 1, kept.data());
  }
};

TEST(Likelihood, EqualsPlainLoops) {
  for (const int64_t n : {1, 7, 8, 63, 64, 65, 127, 1000, 4096}) {
    std::vector<float> x = some_logits(n);
    float most = -kInf;
    for (const float v : x) most = v > most ? v : most;
    if (most == -kInf) x[0] = most = 3;
    for (const LikelihoodLoops* loops : every_likelihood_loops()) {
      const Results r(*loops, x, most);
      double mass = 0;
      int64_t count = 0, mass_count = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double y = (static_cast<double>(x[i]) - most) * 1.1f, e = std::exp2(y);
        if (!(e >= 1.001e-9))
          EXPECT_EQ(r.e[i], e >= 0.999e-9 ? r.e[i] : 0.0f);
        else
          EXPECT_NEAR(r.e[i] / e, 1, 3e-6);
        count += x[i] >= 2;
        if (r.e[i] >= 1e-4f) mass += r.e[i], ++mass_count;
        if (x[i] >= 1)
          EXPECT_EQ(r.kept[i], x[i]);
        else
          EXPECT_EQ(r.kept[i], -kInf);
      }
      EXPECT_EQ(r.count, count);
      EXPECT_EQ(r.mass_count, mass_count);
      EXPECT_NEAR(r.mass, mass, 1e-6 * (1 + mass));
      for (size_t b = 0; b < r.sums.size(); ++b) {
        double sum = 0, above = 0;
        float largest = -kInf;
        int32_t between = 0;
        for (size_t i = b * kLikelihoodBlock;
             i < std::min<size_t>(x.size(), (b + 1) * kLikelihoodBlock); ++i) {
          sum += r.e[i];
          above += r.e[i] >= 1e-3f ? r.e[i] : 0;
          between += r.e[i] >= 1e-6f && r.e[i] < 1e-3f;
          largest = x[i] > largest ? x[i] : largest;
        }
        EXPECT_NEAR(r.sums[b], sum, 1e-6 * (1 + sum));
        EXPECT_NEAR(r.split_sums[b], above, 1e-6 * (1 + above));
        EXPECT_EQ(r.between[b], between);
        EXPECT_EQ(r.maxima[b], largest);
      }
    }
  }
}

TEST(Likelihood, EveryInstructionSetGivesTheSameBits) {
  for (const int64_t n : {5, 64, 1001, 20000}) {
    const std::vector<float> x = some_logits(n);
    const Results a(*every_likelihood_loops().front(), x, 30);
    for (const LikelihoodLoops* loops : every_likelihood_loops()) {
      const Results b(*loops, x, 30);
      EXPECT_TRUE(same_bits(a.maxima, b.maxima));
      EXPECT_TRUE(same_bits(a.e, b.e));
      EXPECT_TRUE(same_bits(a.kept, b.kept));
      EXPECT_TRUE(same_bits(a.sums, b.sums));
      EXPECT_TRUE(same_bits(a.split_sums, b.split_sums));
      EXPECT_TRUE(same_bits(a.between, b.between));
      EXPECT_EQ(a.count, b.count);
      EXPECT_EQ(a.mass_count, b.mass_count);
      EXPECT_EQ(std::memcmp(&a.mass, &b.mass, sizeof a.mass), 0);
    }
  }
}

TEST(Likelihood, TheMostLikelyIsOneAndPowersOfTwoAreExact) {
  const std::vector<float> x{0, -1, -2, -40, -41, -42, -1000, -kInf, NAN};
  std::vector<float> e(x.size());
  double sum = 0;
  likelihood_loops().likelihoods(x.data(), static_cast<int64_t>(x.size()), 0, 1, 0, e.data(), &sum);
  EXPECT_EQ(e, (std::vector<float>{1, 0.5f, 0.25f, 0x1p-40f, 0x1p-41f, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace ashlar::kernels
