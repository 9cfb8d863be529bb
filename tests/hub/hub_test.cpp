// Hashes, names and places of the hub's cache.
#include <gtest/gtest.h>

#include <cstdlib>

#include "hub/cache.h"
#include "hub/sha.h"

namespace ashlar {
namespace {

std::string hash(Sha::Kind kind, const std::string& text, size_t piece) {
  Sha sha(kind);
  for (size_t at = 0; at < text.size(); at += piece) sha.add(text.substr(at, piece));
  return sha.hex();
}

// FIPS 180-4's examples, and Git's hash of a file of six bytes.
TEST(Hashes, AreTheStandards) {
  const std::string million(1'000'000, 'a');
  for (const size_t piece : {size_t{1}, size_t{63}, size_t{64}, size_t{1000}}) {
    EXPECT_EQ(hash(Sha::Kind::sha256, "abc", piece),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hash(Sha::Kind::sha256, million, piece),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    EXPECT_EQ(hash(Sha::Kind::sha1, "abc", piece), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hash(Sha::Kind::sha1, million, piece), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  }
  EXPECT_EQ(hash(Sha::Kind::sha256, "", 1),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash(Sha::Kind::sha1, std::string("blob 6\0hello\n", 13), 5),
            "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Names, OfRepositories) {
  for (const char* name : {"Qwen/Qwen3-0.6B", "a/b", "meta-llama/Llama-3.2_1B"})
    EXPECT_TRUE(is_repository_name(name)) << name;
  for (const char* name : {"", "a", "/b", "a/", "a/b/c", "../b", "./b", "a b/c", "-a/b", "a/.b"})
    EXPECT_FALSE(is_repository_name(name)) << name;
}

TEST(Places, FollowTheVariables) {
  ASSERT_EQ(setenv("HF_HOME", "/home/of/hf", 1), 0);
  unsetenv("HF_HUB_CACHE");
  EXPECT_EQ(repository_folder("org/name"), "/home/of/hf/hub/models--org--name");
  ASSERT_EQ(setenv("HF_HUB_CACHE", "/cache", 1), 0);
  EXPECT_EQ(hub_cache(), "/cache");
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HOME");
}

}  // namespace
}  // namespace ashlar
