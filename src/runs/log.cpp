// A line is one write to a file opened for appending: a kill leaves it whole or leaves it out.
#include "runs/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace ashlar {

Json to_json(const StepRecord& r) {
  Json json = {{"step", r.step},
               {"tokens", r.tokens},
               {"loss", r.loss},
               {"gradient_norm", r.gradient_norm},
               {"rate", r.rate},
               {"seconds", r.seconds},
               {"tokens_per_second", r.tokens_per_second}};
  for (const auto& [name, values] : r.values) {
    if (values.size() == 1) json[name] = values[0];
  }
  if (!r.spikes.empty()) json["spikes"] = r.spikes;
  if (r.validation_loss) json["validation_loss"] = *r.validation_loss;
  if (r.bits_per_byte) json["bits_per_byte"] = *r.bits_per_byte;
  return json;
}

void cut_log(const std::filesystem::path& file, int64_t step) {
  std::error_code code;
  if (!std::filesystem::exists(file, code)) return;
  const std::string all = read_file(file);
  size_t begin = 0;
  while (begin < all.size()) {
    const size_t end = all.find('\n', begin);
    if (end == std::string::npos) break;
    const Json record = Json::parse(all.substr(begin, end - begin), nullptr, false);
    if (!record.is_object() || !record.contains("step") || !record["step"].is_number_integer() ||
        record["step"].get<int64_t>() > step)
      break;
    begin = end + 1;
  }
  if (begin < all.size()) write_file(file, std::string_view(all).substr(0, begin));
}

AppendedFile::AppendedFile(std::filesystem::path file) : file_(std::move(file)) {
  constexpr mode_t kMode = 0666;
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (descriptor_ < 0)
    fail(ErrorKind::io, "{}: cannot be written: {}", file_.string(), std::strerror(errno));
}

AppendedFile::~AppendedFile() { ::close(descriptor_); }

int AppendedFile::lock() const { return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

void AppendedFile::add(std::string_view bytes, bool may_be_torn) const {
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  ssize_t written = 0;
  do {
    written = ::write(descriptor_, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(bytes.size())) return;
  const int code = written < 0 ? errno : ENOSPC;
  if (written > 0 && ::ftruncate(descriptor_, before) != 0 && !may_be_torn)
    fail(ErrorKind::io, "{}: ends in the middle of a record", file_.string());
  fail(code == ENOSPC || code == EFBIG || code == EDQUOT ? ErrorKind::resource : ErrorKind::io,
       "{}: cannot be written: {}", file_.string(), std::strerror(code));
}

RunLog::RunLog(const std::filesystem::path& file) : file_(file) {
  if (file_.lock() == EWOULDBLOCK)
    fail(ErrorKind::invalid, "{}: another process trains this run", file.string());
}

}  // namespace ashlar
