// Claims: what the literature says of these architectures, settled by computation.
//
//   for (const ashlar::Claim& c : ashlar::settle_claims({"kimi-k2-active"}))
//     c.verdict;   // holds
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ashlar/version.h"

namespace ASHLAR_V1 {

struct Claim {
  std::string id, statement;
  std::string source;     // where it is said
  std::string verdict;    // holds, holds-if, fails, undecided, open
  std::string condition;  // holds-if: when; fails: what is right; undecided: what was found;
                          // open: what would settle it
  std::vector<std::pair<std::string, std::string>> found;  // name and value, as JSON text
};

/// Those that come with Ashlar (docs/claims.md), sorted.
std::vector<std::string> claim_ids();
/// The claims of these ids, all for none. Numbers are computed at each call; only measured speeds
/// are stored. Throws Error(invalid) for an unknown id, Error(format) for a file that is wrong.
/// Not safe to call from two threads at once.
std::vector<Claim> settle_claims(const std::vector<std::string>& ids = {});

}  // namespace ASHLAR_V1
