// Both ways.
#include "data/manifest.h"

#include "base/error.h"

namespace ashlar {
namespace {

constexpr int kFormat = 1;

DataAmount amount_from(const Json& json) {
  const DataAmount a{json.at("documents"), json.at("tokens"), json.at("bytes")};
  if (a.documents < 0 || a.tokens < 0 || a.bytes < 0)
    fail(ErrorKind::format, "a negative amount of documents, tokens or bytes");
  return a;
}

}  // namespace

Json to_json(const DataManifest& m) {
  Json json = {{"format", kFormat},
               {"tokenizer",
                {{"name", m.tokenizer},
                 {"fingerprint", m.tokenizer_fingerprint},
                 {"vocabulary", m.vocabulary},
                 {"end", m.end ? Json(*m.end) : Json()}}},
               {"corpora", m.corpora},
               {"validation", m.validation},
               {"seed", m.seed},
               {"duplicates", {{"documents", m.duplicates}, {"bytes", m.duplicate_bytes}}},
               {"domains", m.domains},
               {"fingerprint", m.fingerprint}};
  for (size_t s = 0; s < m.splits.size(); ++s) {
    const SplitManifest& split = m.splits[s];
    Json out = split.all;
    out["bytes_in_tokens"] = split.bytes_in_tokens;
    out["documents_file"] = split.documents_file;
    out["domains"] = split.domains;
    out["shards"] = split.shards;
    json["splits"][kSplitNames[s]] = std::move(out);
  }
  return json;
}

DataManifest manifest_from_json(const Json& json, const std::string& where) {
  try {
    if (json.at("format").get<int>() != kFormat)
      fail(ErrorKind::format, "is of another version of Ashlar");
    DataManifest m;
    const Json& tokenizer = json.at("tokenizer");
    m.tokenizer = tokenizer.at("name");
    m.tokenizer_fingerprint = tokenizer.at("fingerprint");
    m.vocabulary = tokenizer.at("vocabulary");
    if (!tokenizer.at("end").is_null()) m.end = tokenizer.at("end").get<int64_t>();
    m.corpora = json.at("corpora");
    m.validation = json.at("validation");
    m.seed = json.at("seed");
    m.duplicates = json.at("duplicates").at("documents");
    m.duplicate_bytes = json.at("duplicates").at("bytes");
    m.domains = json.at("domains");
    m.fingerprint = json.at("fingerprint");
    for (size_t s = 0; s < m.splits.size(); ++s) {
      const Json& from = json.at("splits").at(kSplitNames[s]);
      SplitManifest& split = m.splits[s];
      split.all = amount_from(from);
      split.bytes_in_tokens = from.at("bytes_in_tokens");
      split.documents_file = from.at("documents_file");
      for (const auto& [name, amount] : from.at("domains").items())
        split.domains[name] = amount_from(amount);
      for (const Json& shard : from.at("shards"))
        split.shards.push_back({shard.at("file"), shard.at("tokens"), shard.at("hash")});
    }
    return m;
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::format, "{}: is no manifest of a data folder: {}", where, e.what());
  } catch (const Error& e) {
    fail(e.kind(), "{}: {}", where, e.what());
  }
}

}  // namespace ashlar
