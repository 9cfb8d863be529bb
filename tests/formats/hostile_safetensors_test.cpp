// safetensors files and indices that lie: by hand, every field in turn, and by mutation.
#include "support/hostile.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "support/scratch.h"

namespace ashlar {
namespace {

std::string safetensors(const std::string& header, size_t data) {
  return le<uint64_t>(header.size()) + header + std::string(data, '\1');
}

TEST(HostileSafetensors, EveryLieIsNamed) {
  Scratch scratch;
  const fs::path file = scratch.path / "x.safetensors";
  const auto one = [](const std::string& dtype, const std::string& shape,
                      const std::string& offsets, size_t data) {
    return safetensors(R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape +
                           R"(,"data_offsets":)" + offsets + "}}",
                       data);
  };
  const std::string t = R"("dtype":"F32","shape":[2],"data_offsets":)";
  const std::vector<std::pair<std::string, std::string>> corpus = {
      {"", "too few"},
      {"1234567", "too few"},
      {le<uint64_t>(~uint64_t{0}) + "{}", "header of 18446744073709551615 bytes"},
      {le<uint64_t>(3) + "{}", "header of 3 bytes in a file of 10"},
      {safetensors("", 0), "does not start with {"},
      {safetensors("[]", 0), "does not start with {"},
      {safetensors("{", 0), "not valid JSON"},
      {safetensors("{} x", 0), "not valid JSON"},
      {safetensors("{\"t\xff\":{}}", 0), "not valid JSON"},
      {safetensors(R"({"t":{}})", 0), "lacks dtype, shape or data_offsets"},
      {safetensors(R"({"t":5})", 0), "no list of tensors"},
      {safetensors(R"({"t":"F32"})", 0), "no list of tensors"},
      {safetensors(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":{"a":1}}})", 4),
       "no list of tensors"},
      {safetensors(R"({"__metadata__":{"a":1}})", 0), "no list of tensors"},
      {safetensors(R"({"__metadata__":{"a":{"b":"c"}}})", 0), "no list of tensors"},
      {safetensors(R"({"t":)" + std::string(100'000, '['), 0), "no list of tensors"},
      {safetensors(R"({"t":)" +
                       [] {
                         std::string s;
                         for (int i = 0; i < 50'000; ++i) s += "{\"a\":";
                         return s;
                       }(),
                   0),
       "no list of tensors"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"a\":{" + t + "[8,16]}}", 16), "\"a\" stands twice"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"b\":{" + t + "[4,12]}}", 12),
       "overlap or leave a hole"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"b\":{" + t + "[0,8]}}", 8),
       "overlap or leave a hole"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"b\":{" + t + "[12,20]}}", 20),
       "overlap or leave a hole"},
      {one("F32", "[2]", "[0,8]", 9), "after the last tensor"},
      {one("F32", "[2]", "[0,8]", 7), "truncated or broken"},
      {one("F32", "[2]", "[8,0]", 8), "not [begin, end]"},
      {one("F32", "[2]", "[0]", 8), "not [begin, end]"},
      {one("F32", "[2]", "[0,8,8]", 8), "not [begin, end]"},
      {one("F32", "[2]", "[0,18446744073709551615]", 8), "truncated or broken"},
      {one("F32", "[2]", "[0,18446744073709551616]", 8), "too large a number"},
      {one("F32", "[2]", "[-8,0]", 8), "a negative number"},
      {one("F32", "[-2]", "[0,8]", 8), "a negative number"},
      {one("F32", "[2.0]", "[0,8]", 8), "a fraction"},
      {one("F32", "[3]", "[0,8]", 8), "needs 12 bytes, but data_offsets span 8"},
      {one("F32", "[4294967296,4294967296]", "[0,0]", 0), "more elements than any memory"},
      {one("F32", "[0,4294967296,4294967296]", "[0,0]", 0), "more elements than any memory"},
      {one("F32", "[18446744073709551615]", "[0,8]", 8), "dimension of"},
      {one("F4", "[3]", "[0,1]", 1), "is no number of bytes"},
      {one("F32", "[" + std::string(200, '1') + "]", "[0,8]", 8), "too large a number"},
      {one(
           "F32",
           [] {
             std::string s = "[1";
             for (int i = 0; i < 100; ++i) s += ",1";
             return s + "]";
           }(),
           "[0,4]", 4),
       "more than 32 numbers"},
      {one("Q99", "[2]", "[0,8]", 8), "Q99 is not read as a weight"},
  };
  for (size_t i = 0; i < corpus.size(); ++i) {
    put_bytes(file, corpus[i].first);
    const std::string message = survive(file, open_safetensors);
    EXPECT_NE(message.find(corpus[i].second), std::string::npos)
        << "file " << i << ": " << message << "\n  lacks: " << corpus[i].second;
    EXPECT_LT(message.size(), 1000u);
  }
}

TEST(HostileSafetensors, CompositesThatDoNotFit) {
  Scratch scratch;
  const fs::path file = scratch.path / "x.safetensors";
  struct Piece {
    std::string name, dtype, shape;
    size_t bytes;
  };
  const auto made = [](const std::vector<Piece>& pieces) {
    std::string header = "{";
    size_t at = 0;
    for (const Piece& p : pieces) {
      header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                            at ? "," : "", p.name, p.dtype, p.shape, at, at + p.bytes);
      at += p.bytes;
    }
    return safetensors(header + "}", at);
  };
  const Piece packed = {"w.weight_packed", "I32", "[2,4]", 32},
              scale = {"w.weight_scale", "BF16", "[2,1]", 4};
  const Piece blocks = {"e_blocks", "U8", "[2,1,16]", 32};
  const Piece fp8 = {"f.weight", "F8_E4M3", "[4,256]", 1024};
  const std::vector<std::pair<std::vector<Piece>, std::string>> corpus = {
      {{packed, scale}, "without w.weight_shape"},
      {{packed}, "without w.weight_scale"},
      {{packed, scale, {"w.weight_shape", "I64", "[2]", 16}},
       "not 4 bits per value"},  // 0x0101.. twice
      {{packed, scale, {"w.weight_shape", "F32", "[2]", 8}}, "expected two integers"},
      {{packed, scale, {"w.weight_shape", "I64", "[1]", 8}}, "expected two integers"},
      {{blocks, {"e_scales", "U8", "[2,2]", 4}}, "expected [..., n, 16] and [..., n]"},
      {{blocks, {"e_scales", "U8", "[2,1]", 2}, {"e", "F32", "[1]", 4}},
       "both whole and in pieces"},
      {{fp8, {"f.weight_scale_inv", "F32", "[3,2]", 24}}, "do not fit"},
      {{fp8, {"f.weight_scale_inv", "F32", "[1,5]", 20}}, "do not fit"},
      {{fp8, {"f.weight_scale_inv", "F32", "[0]", 0}}, "do not fit"},
      {{fp8, {"f.weight_scale_inv", "I32", "[1,2]", 8}}, "FP8 scales of type I32"},
      {{fp8}, "without scales"},
      {{{"f.weight", "F8_E4M3", "[4]", 4}, {"f.weight_scale", "F32", "[1]", 4}}, "matrices only"},
      {{{"f.weight", "F8_E4M3", "[9007199254740992,0]", 0}, {"f.weight_scale", "F32", "[1]", 4}},
       ""},
      {{{"f.weight", "F8_E4M3", "[0,9007199254740992]", 0}, {"f.weight_scale", "F32", "[]", 4}},
       ""},
  };
  for (const auto& [pieces, expected] : corpus) {
    put_bytes(file, made(pieces));
    const std::string message = survive(file, open_safetensors);
    EXPECT_NE(message.find(expected), std::string::npos) << message << "\n  lacks: " << expected;
  }
}

TEST(HostileSafetensors, IndicesThatDoNotFit) {
  Scratch scratch;
  const fs::path index = scratch.path / "model.safetensors.index.json";
  const std::pair<const char*, const char*> corpus[] = {
      {"", "not valid JSON"},
      {"[]", "no \"weight_map\""},
      {R"({"weight_map": 5})", "no \"weight_map\""},
      {R"({"weight_map": {"a": 5}})", "expected a file name"},
      {R"({"weight_map": {"a": ["x"]}})", "an array"},
      {R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})", "stands twice"},
      {R"({"weight_map": {"a": "/etc/passwd"}})", "a file name of the same folder"},
      {R"({"weight_map": {"a": ""}})", "a file name of the same folder"},
      {R"({"weight_map": {"a": "x.safetensors"}})", "which is missing"},
  };
  for (const auto& [text, expected] : corpus) {
    put_bytes(index, text);
    expect_message(survive(scratch.path, open_safetensors), expected);
  }
  put_bytes(index, "{\"metadata\":" + std::string(100'000, '['));
  expect_message(survive(scratch.path, open_safetensors), "nested deeper than");
}

TEST(HostileSafetensors, MutationsSurvive) {
  Scratch scratch;
  for (const char* golden : {"plain/model.safetensors", "int4/model.safetensors"}) {
    const std::string valid = bytes_of(kGolden / golden);
    uint64_t header = 0;
    std::memcpy(&header, valid.data(), sizeof(header));
    mutate(valid, 8 + header, scratch.path / "x.safetensors", open_safetensors);
  }
}

}  // namespace
}  // namespace ashlar
