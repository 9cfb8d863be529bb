// What JSON files of models hold beyond JSON, and what lies in their place.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "base/placeholder.h"

namespace ashlar {
namespace {

TEST(ParseJson, NumbersThatJsonHasNoWordsFor) {
  const Json json = parse_json(
      R"({"a": NaN, "b": [Infinity, -Infinity, {"c": -Infinity}], "d": "NaN, \"Infinity", "e": 1})",
      "x.json");
  EXPECT_TRUE(std::isnan(json["a"].get<double>()));
  EXPECT_EQ(json["b"][0].get<double>(), INFINITY);
  EXPECT_EQ(json["b"][1].get<double>(), -INFINITY);
  EXPECT_EQ(json["b"][2]["c"].get<double>(), -INFINITY);
  EXPECT_EQ(json["d"].get<std::string>(), "NaN, \"Infinity");
  EXPECT_EQ(json["e"], 1);
  for (const char* bad : {"{\"a\": Nan}", "{\"a\": -NaN}", "NaNN", "{\"a\": +Infinity}", "[NaN"})
    EXPECT_THROW(parse_json(bad, "x.json"), Error) << bad;
}

std::string refusal(const std::string& text) {
  try {
    refuse_placeholder(text, "m/config.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Placeholders, AreNamed) {
  const std::string pointer = refusal(
      "version https://git-lfs.github.com/spec/v1\noid "
      "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32"
      "b1258daaa5e2ca24d17e2393\nsize 988097824\n");
  EXPECT_NE(pointer.find("m/config.json: is a Git LFS pointer"), std::string::npos) << pointer;
  EXPECT_NE(pointer.find("988,097,824 bytes"), std::string::npos) << pointer;
  for (const char* page :
       {"<!DOCTYPE html><html>", "  \n<!doctype HTML>", "<html lang=\"en\">", "\xEF\xBB\xBF<HTML>"})
    EXPECT_NE(refusal(page).find("is an HTML page"), std::string::npos) << page;
  EXPECT_NE(refusal("<?xml version=\"1.0\"?><Error><Code>AccessDenied").find("XML"),
            std::string::npos);
  EXPECT_NE(refusal("Entry not found").find("\"Entry not found\""), std::string::npos);
  EXPECT_NE(refusal("{\"error\":\"Repository not found\"}").find("download failed"),
            std::string::npos);
  for (const char* fine : {"", "{}", "{\"model_type\": \"llama\"}", "version 2", "[1]"})
    EXPECT_EQ(refusal(fine), "") << fine;
}

}  // namespace
}  // namespace ashlar
