// Reads the file of cards, once.
#include "blueprint/card.h"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "embedded/data.h"

namespace ashlar {
namespace {

using Cards = std::map<std::string, Card, std::less<>>;

Cards read_cards() {
  const char* other = std::getenv("ASHLAR_CARDS");
  std::optional<DataFile> file;
  if (other == nullptr) {
    file = find_data("cards", "models");
  } else if (std::error_code code; std::filesystem::is_regular_file(other, code)) {
    file = {read_file(other, size_t{1} << 24), other};
  }
  if (!file) return {};
  const Json json = parse_json(file->text, file->where);
  if (!json.is_object()) fail(ErrorKind::format, "{}: expected an object", file->where);
  Cards cards;
  for (const auto& item : json.items()) {
    const std::string& name = item.key();
    const Json& fields = item.value();
    Card& card = cards[name];
    const auto read = [&](const char* key, std::string& value) {
      const Json& text = value_at(fields, key);
      if (!text.is_string())
        fail(ErrorKind::format, "{}: {}.{}: expected a string", file->where, name, key);
      value = text.get<std::string>();
    };
    read("organisation", card.organisation);
    read("date", card.date);
    read("licence", card.licence);
    read("weights", card.weights);
    read("paper", card.paper);
    read("card", card.page);
    if (fields.contains("note")) read("note", card.note);
  }
  return cards;
}

}  // namespace

std::optional<Card> card_of(std::string_view name) {
  static const Cards cards = read_cards();
  const auto it = cards.find(name);
  if (it == cards.end()) return std::nullopt;
  return it->second;
}

}  // namespace ashlar
