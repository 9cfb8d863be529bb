// Going back as far as an engine's sequence can.
#include "generate/held_sequence.h"

#include "base/error.h"

namespace ashlar {

size_t HeldSequence::go_back_to(std::span<const TokenId> wanted) {
  size_t same = 0;
  while (same < tokens.size() && same + 1 < wanted.size() && tokens[same] == wanted[same]) ++same;
  if (id_ && !engine_.can_truncate(*id_, static_cast<int64_t>(same))) close();
  if (!id_) {
    same = 0;
    id_ = engine_.open();
    if (!id_) fail(ErrorKind::resource, "the engine has no free sequence");
  }
  engine_.truncate(*id_, static_cast<int64_t>(same));
  tokens.resize(same);
  return same;
}

void HeldSequence::close() {
  if (id_) engine_.close(*id_);
  id_.reset();
  tokens.clear();
}

}  // namespace ashlar
