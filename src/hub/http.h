// Requests over HTTP, through libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace ashlar {

struct HttpAnswer {
  long status = 0;    // 200, 206, 404, ...; 0: no answer at all
  std::string error;  // why there was none, or why it broke off
  std::string body;   // of answers above 299, cut
};

/// GETs `url` from byte `from` on, following redirects; `token` goes to the first host only. `take`
/// gets the bytes of a good answer with its status (200 where the server starts anew); false ends
/// the transfer.
HttpAnswer http_get(const std::string& url, const std::string& token, int64_t from,
                    const std::function<bool(long status, std::string_view bytes)>& take);

}  // namespace ashlar
