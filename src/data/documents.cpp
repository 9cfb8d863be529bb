// Walks files in the order of their names, so that a corpus is the same on every machine.
#include "data/documents.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/byte_source.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestText = size_t{1} << 32, kLongestLine = size_t{1} << 30;

/// The name without .gz or .zst.
std::string unpacked_name(const fs::path& file) {
  std::string name = file.filename().string();
  for (const char* end : {".gz", ".zst"}) {
    if (name.ends_with(end)) return name.substr(0, name.size() - std::string_view(end).size());
  }
  return name;
}

bool ends_with_any(std::string_view name, std::span<const std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](auto e) { return name.ends_with(e); });
}

constexpr std::array<std::string_view, 2> kLines{".jsonl", ".ndjson"};
constexpr std::array<std::string_view, 4> kTexts{".txt", ".text", ".md", ".rst"};

class DocumentReader {
 public:
  DocumentReader(const DocumentOptions& options, const std::function<void(Document&&)>& take)
      : options_(options), take_(take) {}

  void file(const fs::path& file, const std::string& domain, bool asked_for) {
    const std::string name = unpacked_name(file);
    if (ends_with_any(name, kLines))
      lines(file, domain);
    else if (asked_for || ends_with_any(name, kTexts))
      text(file, domain, asked_for);
  }

  void folder(const fs::path& root, const std::string& domain) {
    std::vector<fs::path> files;
    std::error_code code;
    for (auto it = fs::recursive_directory_iterator(root, code);
         it != fs::recursive_directory_iterator(); it.increment(code)) {
      if (code) break;
      if (it->is_regular_file(code)) files.push_back(it->path());
    }
    if (code) fail(ErrorKind::io, "{}: cannot be read: {}", root.string(), code.message());
    std::sort(files.begin(), files.end());
    for (const fs::path& f : files) {
      const fs::path below = f.lexically_relative(root);
      const bool nested = below.has_parent_path();
      file(f, !domain.empty() || !nested ? domain : below.begin()->string(), false);
    }
  }

 private:
  void lines(const fs::path& file, const std::string& domain) {
    const std::string where = file.string();
    LineReader reader(open_bytes(file), kLongestLine, where);
    for (std::string line; reader.next(line);) {
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      const std::string here = fmt::format("{}: line {}", where, reader.number());
      Json json = parse_json(utf8::repaired(line), here);
      const auto of = [&](const std::string& field) {
        return json.is_object() ? json.find(field) : json.end();
      };
      const auto found = of(options_.text_field);
      if (found == json.end() || !found->is_string()) {
        fail(ErrorKind::format, "{}: expected an object with a text \"{}\" (--text-field)", here,
             options_.text_field);
      }
      Document document{std::move(found->get_ref<std::string&>()), domain};
      if (const auto label = of(options_.domain_field); label != json.end() && label->is_string())
        document.domain = label->get<std::string>();
      give(std::move(document));
    }
  }

  void text(const fs::path& file, const std::string& domain, bool asked_for) {
    const auto source = open_bytes(file);
    const std::string all = read_all(*source, kLongestText, file.string());
    if (all.find('\0') != std::string::npos) {
      if (asked_for) fail(ErrorKind::format, "{}: holds zero bytes: it is no text", file.string());
      return;
    }
    if (options_.separator.empty()) return give({all, domain});
    size_t begin = 0, at = 0;
    while (at < all.size()) {
      const size_t end = std::min(all.find('\n', at), all.size());
      std::string_view line(all.data() + at, end - at);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line == options_.separator) {
        give({all.substr(begin, at - begin), domain});
        begin = std::min(end + 1, all.size());
      }
      at = end + 1;
    }
    give({all.substr(begin), domain});
  }

  void give(Document&& document) {
    if (document.text.find_first_not_of(" \t\r\n\f\v") == std::string::npos) return;
    if (utf8::valid_prefix(document.text) != document.text.size())
      document.text = utf8::repaired(document.text);
    const std::vector<std::string_view> pieces = pieces_of(document.text, options_.piece_bytes);
    if (pieces.size() == 1) return take_(std::move(document));
    for (const std::string_view piece : pieces) take_({std::string(piece), document.domain});
  }

  const DocumentOptions& options_;
  const std::function<void(Document&&)>& take_;
};

}  // namespace

std::vector<std::string_view> pieces_of(std::string_view text, int64_t piece_bytes) {
  std::vector<std::string_view> pieces;
  const auto least = static_cast<size_t>(piece_bytes);
  while (piece_bytes > 0 && text.size() > 2 * least) {
    size_t end = text.find("\n\n", least);
    if (end == std::string_view::npos || end > 2 * least) end = text.find('\n', least);
    if (end == std::string_view::npos) break;
    end = text.find_first_not_of('\n', end);
    if (end == std::string_view::npos) break;
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  if (!text.empty()) pieces.push_back(text);
  return pieces;
}

void read_documents(const std::string& corpus, const DocumentOptions& options,
                    const std::function<void(Document&&)>& take) {
  std::string domain;
  fs::path path(corpus);
  std::error_code code;
  const size_t equals = corpus.find('=');
  if (!fs::exists(path, code) && equals != std::string::npos && equals > 0) {
    domain = corpus.substr(0, equals);
    path = corpus.substr(equals + 1);
  }
  if (!fs::exists(path, code))
    fail(ErrorKind::io, "{}: there is no such file or folder", path.string());
  DocumentReader reader(options, take);
  if (fs::is_directory(path, code))
    reader.folder(path, domain);
  else
    reader.file(path, domain, true);
}

}  // namespace ashlar
