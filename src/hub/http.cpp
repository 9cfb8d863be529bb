// One easy handle per request.
#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr size_t kLongestBody = 4096;  // of an answer that is an error
constexpr long kConnectSeconds = 20, kSlowSeconds = 60;

struct Request {
  CURL* curl = nullptr;
  const std::function<bool(long, std::string_view)>* take = nullptr;
  HttpAnswer* answer = nullptr;
};

size_t write(char* data, size_t size, size_t count, void* context) {
  auto& request = *static_cast<Request*>(context);
  const std::string_view bytes(data, size * count);
  long status = 0;
  curl_easy_getinfo(request.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) {
    request.answer->body +=
        bytes.substr(0, kLongestBody - std::min(kLongestBody, request.answer->body.size()));
    return bytes.size();
  }
  return (*request.take)(status, bytes) ? bytes.size() : 0;
}

}  // namespace

HttpAnswer http_get(const std::string& url, const std::string& token, int64_t from,
                    const std::function<bool(long, std::string_view)>& take) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) fail(ErrorKind::resource, "{}: libcurl does not start", url);
  HttpAnswer answer;
  Request request{curl.get(), &take, &answer};
  const auto set = [&](CURLoption option, auto value) {
    curl_easy_setopt(curl.get(), option, value);
  };
  curl_slist* list = nullptr;
  if (!token.empty()) list = curl_slist_append(list, ("Authorization: Bearer " + token).c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, curl_slist_free_all);
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_USERAGENT, "ashlar");
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 10L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
  // A range, which a server may ignore; libcurl's own way to resume takes that for an error.
  const std::string range = std::to_string(from) + "-";
  if (from > 0) set(CURLOPT_RANGE, range.c_str());
  set(CURLOPT_WRITEFUNCTION, write);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&request));
  const CURLcode code = curl_easy_perform(curl.get());
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  if (code != CURLE_OK) answer.error = curl_easy_strerror(code);
  return answer;
}

}  // namespace ashlar
