// Times one tokenizer, and prints what it makes of given texts, for bench/tokenizer.py to compare.
//   bench_tokenizer time MODEL TEXT PIECE_BYTES   megabytes per second of encode and decode
//   bench_tokenizer encode MODEL STRINGS.json     a JSON list of strings (also as {"bytes": [...]})
//   to
//                                                 [[ids, text again, text without special tokens],
//                                                 ...]
// MODEL is a folder with tokenizer files, a tokenizer.json, or a GGUF file.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "text/tokenizer.h"

using namespace ashlar;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::unique_ptr<Tokenizer> load(const std::string& path) {
  if (std::filesystem::is_directory(path)) return Tokenizer::from_folder(path);
  if (path.ends_with(".gguf")) {
    return Tokenizer::from_gguf(gguf_tokenizer_data(*GgufFile::open(path), path));
  }
  return Tokenizer::from_json(read_file(path), path);
}

int time_it(const Tokenizer& tokenizer, const std::string& text, size_t piece) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(at + piece, text.size());
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    pieces.push_back(std::string_view(text).substr(at, end - at));
    at = end;
  }
  double best_encode = 1e9, best_decode = 1e9;
  size_t tokens = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::vector<TokenId>> ids;
    auto start = Clock::now();
    for (const auto p : pieces) ids.push_back(tokenizer.encode(p, {.add_special = false}));
    best_encode = std::min(best_encode, seconds_since(start));
    if (round == 0)
      std::printf("first round %.2f MB/s\n", static_cast<double>(text.size()) / best_encode / 1e6);
    start = Clock::now();
    size_t bytes = 0;
    tokens = 0;
    for (const auto& list : ids) {
      bytes += tokenizer.decode(list).size();
      tokens += list.size();
    }
    best_decode = std::min(best_decode, seconds_since(start));
    if (bytes == 0) return 1;
  }
  const auto rate = [&](double s) { return static_cast<double>(text.size()) / s / 1e6; };
  std::printf("encode %.2f MB/s  decode %.2f MB/s  %zu tokens\n", rate(best_encode),
              rate(best_decode), tokens);
  return 0;
}

int encode_list(const Tokenizer& tokenizer, const std::string& file) {
  const auto list = nlohmann::json::parse(read_file(file));
  nlohmann::json out = nlohmann::json::array();
  for (const auto& item : list) {
    std::string text;
    if (item.is_string()) {
      text = item.get<std::string>();
    } else {
      for (const auto& b : item.at("bytes")) text.push_back(static_cast<char>(b.get<int>()));
    }
    const auto ids = tokenizer.encode(text);
    StreamDecoder stream(tokenizer, true);
    std::string streamed;
    for (const TokenId id : ids) {
      const std::string part = stream.push(id);
      if (utf8::valid_prefix(part) != part.size())
        throw std::runtime_error("a character was split");
      streamed += part;
    }
    streamed += stream.finish();
    const std::string plain = tokenizer.decode(ids, true);
    if (streamed != plain) throw std::runtime_error("streamed text differs");
    out.push_back({ids, tokenizer.decode(ids), plain});
  }
  std::puts(out.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc >= 4) {
    const auto start = Clock::now();
    const auto tokenizer = load(argv[2]);
    if (std::strcmp(argv[1], "encode") == 0) return encode_list(*tokenizer, argv[3]);
    std::printf("load %.3f s\n", seconds_since(start));
    return time_it(*tokenizer, read_file(argv[3]), argc > 4 ? std::stoul(argv[4]) : 32768);
  }
  std::fprintf(stderr,
               "usage: bench_tokenizer (time MODEL TEXT [BYTES] | encode MODEL STRINGS.json)\n");
  return 2;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
