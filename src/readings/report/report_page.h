// What the sections of a report are written from, and the sections.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "readings/draw/anatomy.h"
#include "readings/report/report.h"

namespace ashlar {

/// The models of a page with everything that was computed of them; all lists are in their order.
struct ReportModels {
  const ReportOptions& options;
  std::vector<Anatomy> anatomies;
  std::vector<std::vector<Fact>> structures;  // readings/compare/compare_words.h
  std::vector<Count> counts;                  // at the options' context and formats
  std::vector<std::string> names;             // no two the same
  Comparison comparison;                      // empty for one model

  size_t size() const { return names.size(); }
};

/// A name as it may stand in an id and a link.
std::string report_anchor(std::string_view name);

/// Who released it, when, under which licence, where; empty without a card.
std::string card_line(const Anatomy& anatomy);

/// Tables. Narrow windows show each row as a card, in which every value has its column's name.
std::string models_table(const ReportModels& m);       // who, when, made for, sources
std::string numbers_table(const ReportModels& m);      // what it costs
std::string words_table(const ReportModels& m);        // what it is made of
std::string differences_table(const ReportModels& m);  // topic by topic

/// The script that makes tables sortable; needs nothing from anywhere.
std::string_view table_script();

/// The ideas with the models that have them: which came first, and a picture over the years.
std::string lineage_section(const ReportModels& m);

}  // namespace ashlar
