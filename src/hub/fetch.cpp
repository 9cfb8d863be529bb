// Listing a repository, choosing files, fetching and checking them.
#include "hub/fetch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <exception>

#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
#include "hub/cache.h"
#include "hub/http.h"
#include "hub/sha.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 5;

std::string endpoint() {
  std::string url = environment("HF_ENDPOINT");
  if (url.empty()) url = "https://huggingface.co";
  while (url.ends_with('/')) url.pop_back();
  return url;
}

bool offline() {
  const std::string value = environment("HF_HUB_OFFLINE");
  return value == "1" || value == "true" || value == "TRUE" || value == "yes" || value == "on";
}

/// HF_TOKEN, or what `hf auth login` left.
std::string token() {
  if (const std::string given = environment("HF_TOKEN"); !given.empty()) return given;
  const std::string home = environment("HF_HOME");
  const fs::path file =
      home.empty() ? hub_cache().parent_path() / "token" : fs::path(home) / "token";
  std::error_code code;
  if (!fs::is_regular_file(file, code)) return "";
  std::string text = read_file(file, 4096);
  std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
  return text;
}

struct HubFile {
  std::string name, hash;  // hash: 64 digits of SHA-256, or 40 of Git's SHA-1
  int64_t size = 0;
};

struct Listing {
  std::string commit;
  std::vector<HubFile> files;
};

[[noreturn]] void fail_answer(const std::string& repository, const std::string& url,
                              const HttpAnswer& answer) {
  if (answer.status == 401 || answer.status == 403) {
    fail(ErrorKind::io,
         "{}: {} does not let it be read (HTTP {}): it does not exist, is private, or its terms "
         "must be accepted on its page; HF_TOKEN holds the token of who may",
         repository, url, answer.status);
  }
  if (answer.status == 404) fail(ErrorKind::io, "{}: not found at {} (HTTP 404)", repository, url);
  if (answer.status != 0)
    fail(ErrorKind::io, "{}: {} answers HTTP {}{}{}", repository, url, answer.status,
         answer.error.empty() ? "" : ": ", answer.error);
  fail(
      ErrorKind::io,
      "{}: {} cannot be reached: {}; without a network name a folder, a .gguf file or a model that "
      "is in the cache ({}), or set HF_ENDPOINT to a mirror",
      repository, url, answer.error, hub_cache().string());
}

bool is_hex(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// A path that stays in the snapshot.
bool is_safe(const std::string& name) {
  if (name.empty() || name.size() > 1000 || name.find('\0') != std::string::npos) return false;
  for (const fs::path& part : fs::path(name)) {
    if (part == ".." || part == "." || part == "/" || part.empty() || part.string().size() > 255)
      return false;
  }
  return true;
}

Listing list_files(const std::string& repository, const std::string& revision) {
  const std::string url =
      fmt::format("{}/api/models/{}/revision/{}?blobs=true", endpoint(), repository, revision);
  constexpr size_t kMost = size_t{1} << 26;
  std::string text;
  const HttpAnswer answer = http_get(url, token(), 0, [&](long, std::string_view bytes) {
    text += bytes;
    return text.size() <= kMost;
  });
  if (answer.status != 200 || !answer.error.empty()) fail_answer(repository, url, answer);
  const Json json = parse_json(text, url);
  Listing listing;
  listing.commit = text_at(json, "sha");
  const auto siblings = json.find("siblings");
  if (!is_hex(listing.commit) || siblings == json.end() || !siblings->is_array())
    fail(ErrorKind::format, "{}: expected a listing with sha and siblings", url);
  for (const Json& item : *siblings) {
    HubFile file{text_at(item, "rfilename"), text_at(item, "blobId"), 0};
    if (item.contains("lfs") && item["lfs"].is_object()) file.hash = text_at(item["lfs"], "sha256");
    if (item.contains("size") && item["size"].is_number_unsigned())
      file.size = item["size"].get<int64_t>();
    if (!is_safe(file.name) || !is_hex(file.hash) ||
        (file.hash.size() != 40 && file.hash.size() != 64))
      fail(ErrorKind::format, "{}: the file \"{}\" has no name or hash that can be used", url,
           file.name.substr(0, 100));
    listing.files.push_back(std::move(file));
  }
  return listing;
}

bool is_small(const std::string& name) {
  constexpr const char* kOthers[] = {"config.json", "params.json", "adapter_config.json",
                                     "model.safetensors.index.json"};
  const auto is_it = [&](const char* known) { return name == known; };
  return std::any_of(std::begin(kTextFiles), std::end(kTextFiles), is_it) ||
         std::any_of(std::begin(kOthers), std::end(kOthers), is_it) ||
         (name.starts_with("additional_chat_templates/") && name.ends_with(".jinja"));
}

/// What a model needs of a repository: one form of its weights, and the small files.
std::vector<HubFile> chosen(const std::string& repository, const Listing& listing,
                            const FetchOptions& options) {
  std::vector<HubFile> files;
  const auto has = [&](auto test) {
    return std::any_of(listing.files.begin(), listing.files.end(),
                       [&](const HubFile& f) { return test(f.name); });
  };
  if (!options.files.empty()) {
    for (const std::string& name : options.files) {
      const auto it = std::find_if(listing.files.begin(), listing.files.end(),
                                   [&](const HubFile& f) { return f.name == name; });
      if (it == listing.files.end())
        fail(ErrorKind::io, "{}: has no file {}", repository, name.substr(0, 200));
      files.push_back(*it);
    }
    return files;
  }
  const auto is_top = [](const std::string& n) { return n.find('/') == std::string::npos; };
  const auto is_weights = [&](const std::string& n) {
    return is_top(n) && n.ends_with(".safetensors");
  };
  const bool transformers = has([&](const std::string& n) {
    return is_weights(n) && !n.starts_with("consolidated") && !n.starts_with("adapter_");
  });
  std::vector<HubFile> gguf;
  for (const HubFile& f : listing.files) {
    const bool own = f.name.starts_with("consolidated");
    if (is_small(f.name) || (own && f.name.ends_with(".index.json") && !transformers))
      files.push_back(f);
    else if (options.weights && is_weights(f.name) && !(own && transformers))
      files.push_back(f);
    else if (f.name.ends_with(".gguf"))
      gguf.push_back(f);
  }
  const bool model = has([](const std::string& n) {
    return n == "config.json" || n == "params.json" || n == "adapter_config.json";
  });
  if (model && (!options.weights || has(is_weights) || gguf.empty())) return files;
  if (gguf.size() == 1) return gguf;
  std::string names;
  for (const HubFile& f : gguf) names += (names.empty() ? "" : ", ") + f.name;
  if (gguf.empty())
    fail(ErrorKind::unsupported, "{}: holds no config.json, safetensors or GGUF files", repository);
  fail(ErrorKind::invalid,
       "{}: holds several GGUF files; fetch the one that is meant: `ashlar fetch {} FILE` ({})",
       repository, repository, names.substr(0, 1000));
}

/// Hash of a file of the cache as the hub has it.
std::string hash_of(const fs::path& path, const HubFile& file) {
  const bool git = file.hash.size() == 40;
  Sha sha(git ? Sha::Kind::sha1 : Sha::Kind::sha256);
  if (git) sha.add(fmt::format("blob {}", file.size) + std::string(1, '\0'));
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(ErrorKind::io, "{}: cannot open: {}", path.string(), std::strerror(errno));
  std::vector<char> piece(1 << 20);
  for (ssize_t n = 0; (n = ::read(fd, piece.data(), piece.size())) > 0;)
    sha.add(piece.data(), static_cast<size_t>(n));
  ::close(fd);
  return sha.hex();
}

/// A file that is being written, with what an earlier attempt left; nobody else writes it.
class Incomplete {
 public:
  explicit Incomplete(fs::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) fail(ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      fail(ErrorKind::io, "{}: another process is fetching this file", path_.string());
    }
    size_ = ::lseek(fd_, 0, SEEK_END);
  }
  ~Incomplete() { ::close(fd_); }
  Incomplete(const Incomplete&) = delete;
  Incomplete& operator=(const Incomplete&) = delete;

  int64_t size() const { return size_; }
  void restart() {
    if (::ftruncate(fd_, 0) != 0) return;
    size_ = ::lseek(fd_, 0, SEEK_SET);
  }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0)
        fail(ErrorKind::resource, "{}: cannot write: {}", path_.string(), std::strerror(errno));
      bytes.remove_prefix(static_cast<size_t>(n));
      size_ += n;
    }
  }

 private:
  fs::path path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

void fetch_blob(const std::string& repository, const std::string& commit, const HubFile& file,
                const fs::path& blob, const FetchOptions& options) {
  const std::string url =
      fmt::format("{}/{}/resolve/{}/{}", endpoint(), repository, commit, file.name);
  fs::path part = blob;
  part += ".incomplete";
  {
    Incomplete out(part);
    if (out.size() > file.size) out.restart();
    std::exception_ptr failure;
    for (int attempt = 0; out.size() < file.size || file.size == 0; ++attempt) {
      bool first = true;
      const HttpAnswer answer =
          http_get(url, token(), out.size(), [&](long status, std::string_view bytes) {
            try {
              if (first && status == 200) out.restart();  // the server does not know ranges
              first = false;
              out.write(bytes);
            } catch (...) {
              failure = std::current_exception();
              return false;
            }
            if (options.progress) options.progress(file.name, out.size(), file.size);
            return out.size() <= file.size;
          });
      if (failure) std::rethrow_exception(failure);
      if (out.size() >= file.size) break;
      const bool again = answer.status == 0 || answer.status == 429 || answer.status >= 500 ||
                         (answer.status < 300 && !answer.error.empty());
      if (!again || attempt + 1 == kAttempts) {
        if (answer.status >= 200 && answer.status < 300)
          fail(ErrorKind::io,
               "{}: broke off after {} of {} bytes ({}); the next fetch goes on there", url,
               out.size(), file.size, answer.error.empty() ? "no more came" : answer.error);
        fail_answer(repository, url, answer);
      }
      ::sleep(attempt == 0 ? 0 : 1u << std::min(attempt, 4));
    }
  }
  if (const std::string found = hash_of(part, file); found != file.hash) {
    std::error_code ignored;
    fs::remove(part, ignored);
    fail(ErrorKind::format, "{}: its hash is {}, expected {}; it was thrown away: fetch it again",
         url, found, file.hash);
  }
  fs::rename(part, blob);
}

}  // namespace

fs::path fetch_model(const std::string& repository, const FetchOptions& options) {
  if (!is_repository_name(repository))
    fail(ErrorKind::invalid, "{}: expected a name of the hub, org/name", repository.substr(0, 200));
  if (options.revision.empty() || !is_safe(options.revision))
    fail(ErrorKind::invalid, "revision {}: expected a branch, a tag or a commit",
         options.revision.substr(0, 200));
  if (offline()) {
    fail(ErrorKind::io, "{}: is not (whole) in the cache {}, and HF_HUB_OFFLINE is set", repository,
         hub_cache().string());
  }
  const Listing listing = list_files(repository, options.revision);
  const std::vector<HubFile> files = chosen(repository, listing, options);
  const fs::path folder = repository_folder(repository);
  const fs::path blobs = folder / "blobs", snapshot = folder / "snapshots" / listing.commit;
  try {
    fs::create_directories(blobs);
    fs::create_directories(snapshot);
    int64_t missing = 0;
    for (const HubFile& f : files) {
      if (!fs::exists(blobs / f.hash)) missing += f.size;
    }
    check_free_space(blobs, missing);
    for (const HubFile& f : files) {
      const fs::path blob = blobs / f.hash, link = snapshot / f.name;
      if (!fs::exists(blob) || fs::file_size(blob) != static_cast<uintmax_t>(f.size))
        fetch_blob(repository, listing.commit, f, blob, options);
      if (fs::exists(link)) continue;
      fs::create_directories(link.parent_path());
      fs::remove(link);
      fs::create_symlink(fs::relative(blob, link.parent_path()), link);
    }
    if (options.revision != listing.commit) {
      fs::create_directories((folder / "refs" / options.revision).parent_path());
      write_file(folder / "refs" / options.revision, listing.commit);
    }
  } catch (const fs::filesystem_error& e) {
    fail(ErrorKind::io, "{}: {}", e.path1().string(), e.code().message());
  }
  return snapshot;
}

fs::path hub_model(const std::string& repository, const FetchOptions& options) {
  const fs::path folder = repository_folder(repository);
  const fs::path snapshot = snapshot_of(folder, options.revision);
  if (snapshot != folder && is_whole(snapshot, options.weights)) return snapshot;
  return fetch_model(repository, options);
}

}  // namespace ashlar
