// Commands of training, apart from apps/commands.h, which every command includes.
#pragma once

namespace CLI {
class App;
}

namespace ashlar::app {

void add_data(CLI::App& app);
void add_tokenizer(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_runs(CLI::App& app);

}  // namespace ashlar::app
