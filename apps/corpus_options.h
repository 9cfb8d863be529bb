// Options of the commands that read a corpus.
#pragma once

#include "apps/commands.h"
#include "data/build.h"

namespace ashlar::app {

/// CORPUS... and how its documents are found.
void add_corpus_options(CLI::App& command, BuildOptions& options);

}  // namespace ashlar::app
