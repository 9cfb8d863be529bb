// Requests to generate that nobody vouches for: options of sampling, logits, stop texts and the
// pieces of text in which an answer comes. A sampler chooses a token that there is, the same one
// each time, and no stop text gets through.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "generate/continuation.h"
#include "run/sampler.h"

namespace {

/// Takes values from the front of the input; zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  template <class T>
  T take() {
    T value{};
    const size_t n = std::min(sizeof value, size_);
    std::memcpy(&value, data_, n);
    data_ += n;
    size_ -= n;
    return value;
  }
  std::string text() {
    const size_t n = std::min<size_t>(take<uint8_t>() % 8, size_);
    std::string out(reinterpret_cast<const char*>(data_), n);
    data_ += n;
    size_ -= n;
    return out;
  }
  bool empty() const { return size_ == 0; }

 private:
  const uint8_t* data_;
  size_t size_;
};

void sample(Input& in) {
  ashlar::SamplingOptions options;
  options.temperature = in.take<float>();
  options.top_k = in.take<int16_t>();
  options.top_p = in.take<float>();
  options.min_p = in.take<float>();
  options.repetition_penalty = in.take<float>();
  options.presence_penalty = in.take<float>();
  options.frequency_penalty = in.take<float>();
  options.penalty_window = in.take<int8_t>();
  options.seed = in.take<uint8_t>();
  options.logit_bias[in.take<int16_t>()] = in.take<float>();
  const size_t vocab = 1 + in.take<uint8_t>();
  std::vector<float> logits(vocab);
  // Finite, as an engine's are (run/finite.h).
  for (float& x : logits) x = static_cast<float>(in.take<int16_t>()) / 256;
  std::vector<int32_t> history;
  for (int n = in.take<uint8_t>() % 16; n > 0; --n)
    history.push_back(static_cast<int32_t>(in.take<uint8_t>() % vocab));
  const auto generated =
      static_cast<int64_t>(history.empty() ? 0 : in.take<uint8_t>() % history.size());
  ashlar::Sampler first(options), second(options);
  for (int i = 0; i < 3; ++i) {
    const int32_t id = first.next(logits, history, generated);
    if (id < 0 || static_cast<size_t>(id) >= vocab) std::abort();
    if (second.next(logits, history, generated) != id) std::abort();
  }
}

void stop(Input& in) {
  std::vector<std::string> texts;
  for (int n = in.take<uint8_t>() % 4; n > 0; --n) texts.push_back(in.text());
  ashlar::StopTexts stops(texts);
  std::string all, given;
  bool stopped = false;
  while (!in.empty() && !stopped) {
    const std::string piece = in.text();
    all += piece;
    given += stops.push(piece, stopped);
  }
  if (!stopped) given += stops.finish();
  size_t cut = std::string::npos;
  for (const std::string& text : texts)
    if (!text.empty()) cut = std::min(cut, all.find(text));
  if (stopped != (cut != std::string::npos)) std::abort();
  if (given != all.substr(0, cut)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  try {
    if (in.take<uint8_t>() % 2 == 0) {
      sample(in);
    } else {
      stop(in);
    }
  } catch (const ashlar::Error&) {
  }
  return 0;
}
