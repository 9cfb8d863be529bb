// Protocol buffers by hand: Event{1: wall_time, 2: step, 3: file_version, 5: Summary{1: Value{1:
// tag, 2: simple_value}}} of tensorboard/compat/proto/event.proto and summary.proto.
#include "runs/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>

namespace ashlar {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  constexpr uint32_t kReversed = 0x82F63B78;
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversed : 0);
    table[i] = crc;
  }
  return table;
}

template <class T>
void append(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

enum Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_key(std::string& out, uint32_t field, Wire wire) {
  append_varint(out, field << 3 | wire);
}

void append_bytes(std::string& out, uint32_t field, std::string_view value) {
  append_key(out, field, bytes);
  append_varint(out, value.size());
  out += value;
}

uint32_t masked(uint32_t crc) { return std::rotr(crc, 15) + 0xA282EAD8U; }

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What a step has to say, under the tags that TensorBoard groups by: train/loss, ...
Scalars scalars_of(const StepRecord& r) {
  Scalars all{{"train/loss", r.loss},
              {"train/gradient_norm", r.gradient_norm},
              {"train/rate", r.rate},
              {"speed/tokens_per_second", r.tokens_per_second},
              {"speed/seconds", r.seconds}};
  for (const auto& [name, values] : r.values) {
    if (values.size() == 1) all.emplace_back("train/" + name, values[0]);
  }
  if (r.validation_loss) all.emplace_back("validation/loss", *r.validation_loss);
  if (r.bits_per_byte) all.emplace_back("validation/bits_per_byte", *r.bits_per_byte);
  return all;
}

std::string file_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("events.out.tfevents.{:.0f}.{}.{}", now(), host.data(), ::getpid());
}

}  // namespace

uint32_t crc32c(std::string_view data) {
  static constexpr std::array<uint32_t, 256> kTable = make_table();
  uint32_t crc = ~0U;
  for (const char c : data) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 255];
  return ~crc;
}

std::string event_record(std::string_view event) {
  std::string out;
  append(out, static_cast<uint64_t>(event.size()));
  append(out, masked(crc32c(out)));
  out += event;
  append(out, masked(crc32c(event)));
  return out;
}

std::string scalar_event(double wall_time, int64_t step, const Scalars& scalars) {
  std::string event;
  append_key(event, 1, fixed64);
  append(event, wall_time);
  if (scalars.empty()) {
    append_bytes(event, 3, "brain.Event:2");
    return event;
  }
  append_key(event, 2, varint);
  append_varint(event, static_cast<uint64_t>(step));
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    append_bytes(value, 1, tag);
    append_key(value, 2, fixed32);
    append(value, static_cast<float>(number));
    append_bytes(summary, 1, value);
  }
  append_bytes(event, 5, summary);
  return event;
}

EventFile::EventFile(const std::filesystem::path& folder) : file_(folder / file_name()) {
  file_.add(event_record(scalar_event(now(), 0, {})), false);
}

// A torn record would hide all that come after it.
void EventFile::add(const StepRecord& record) {
  file_.add(event_record(scalar_event(now(), record.step, scalars_of(record))), false);
}

}  // namespace ashlar
