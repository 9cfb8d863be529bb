// Tables of reports.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iterator>

#include "base/units.h"
#include "figures/svg.h"
#include "readings/compare/compare_report.h"
#include "readings/report/report_page.h"

namespace ashlar {
namespace {

std::string html(std::string_view text) { return xml_escaped(text); }

std::string link(std::string_view to, std::string_view words) {
  return fmt::format("<a href=\"{}\" rel=\"noopener\">{}</a>", html(to), html(words));
}

struct Column {
  std::string name;
  bool number = false;
  std::string hover = {};
};

struct Cell {
  std::string content;  // markup
  double value = 0;     // of a number: what rows are sorted by
  std::string kind = {};
};

/// A table of which each row is a model.
class Table {
 public:
  Table(std::vector<Column> columns, std::string kind)
      : columns_(std::move(columns)), kind_(std::move(kind)) {}

  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }

  std::string write() const {
    std::string out = "<div class=\"scroll\"><table class=\"data " + kind_ + "\"><thead><tr>";
    const auto to = std::back_inserter(out);
    for (const Column& c : columns_) {
      fmt::format_to(to, "<th{}{}>{}</th>", c.number ? " class=\"n\"" : "",
                     c.hover.empty() ? "" : " title=\"" + html(c.hover) + "\"", html(c.name));
    }
    out += "</tr></thead><tbody>\n";
    for (const std::vector<Cell>& row : rows_) {
      fmt::format_to(to, "<tr><th>{}</th>", row[0].content);
      for (size_t i = 1; i < row.size(); ++i) {
        const Cell& cell = row[i];
        const std::string kind =
            columns_[i].number ? join({"n", cell.kind}, " ") : join({"w", cell.kind}, " ");
        fmt::format_to(to, "<td class=\"{}\" data-l=\"{}\"{}>{}</td>", kind, html(columns_[i].name),
                       columns_[i].number ? fmt::format(" data-v=\"{:.9g}\"", cell.value) : "",
                       cell.content);
      }
      out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
  }

 private:
  std::vector<Column> columns_;
  std::string kind_;
  std::vector<std::vector<Cell>> rows_;
};

Cell name_cell(const ReportModels& m, size_t i) {
  return {fmt::format("<a href=\"#{}\">{}</a>", report_anchor(m.names[i]), html(m.names[i]))};
}

std::string sources_of(const Card& card) {
  std::vector<std::string> links;
  if (!card.paper.empty())
    links.push_back(link(card.paper, card.paper.find("arxiv.org") != std::string::npos ||
                                             card.paper.ends_with(".pdf")
                                         ? "paper"
                                         : "article"));
  if (!card.page.empty()) links.push_back(link(card.page, "card"));
  return join(links, ", ");
}

const std::string& said(const ReportModels& m, size_t model, std::string_view topic) {
  return std::ranges::find(m.structures[model], topic, &Fact::key)->text;
}

}  // namespace

std::string report_anchor(std::string_view name) {
  std::string out = "m-";
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return out;
}

std::string card_line(const Anatomy& a) {
  if (!a.card) return {};
  const Card& card = *a.card;
  std::string text = html(join({card.organisation, card.date, card.licence,
                                card.weights.empty() ? "" : "released in " + card.weights},
                               ", "));
  if (!card.note.empty()) text += ": " + html(card.note);
  const std::string sources = sources_of(card);
  return "<p class=\"soft\">" + text + (sources.empty() ? "" : " (" + sources + ")") + "</p>\n";
}

std::string models_table(const ReportModels& m) {
  Table table({{"model"},
               {"organisation"},
               {"released", true},
               {"licence"},
               {"released in"},
               {"made for, tokens", true, "the longest context it was made for"},
               {"vocabulary, tokens", true},
               {"sources"}},
              "models");
  for (size_t i = 0; i < m.size(); ++i) {
    const Blueprint& bp = m.anatomies[i].blueprint;
    const Card card = m.anatomies[i].card.value_or(Card{});
    // "2025-04" is sorted as 202504.
    std::string digits = card.date;
    std::erase(digits, '-');
    table.row({name_cell(m, i),
               {html(card.organisation)},
               {html(card.date), std::atof(digits.c_str())},
               {html(card.licence)},
               {html(card.weights)},
               {bp.context > 0 ? grouped(bp.context) : std::string("not said"),
                static_cast<double>(bp.context)},
               {grouped(bp.embedding.vocab), static_cast<double>(bp.embedding.vocab)},
               {sources_of(card)}});
  }
  return table.write();
}

std::string numbers_table(const ReportModels& m) {
  const SizeRow* decode = nullptr;
  for (const SizeRow& r : m.comparison.sizes) {
    if (r.name == "decode at the limit") decode = &r;
  }
  std::vector<Column> columns{
      {"model"},
      {"parameters", true},
      {"active per token", true, "with the embedding’s table, of experts the chosen ones"},
      {"active without embedding", true, "what publishers mostly print"},
      {"layers", true},
      {"d_model", true},
      {"state per token", true},
      {"state at context", true},
      {"weights", true},
      {"read per token", true},
      {"FLOPs per token", true}};
  if (decode != nullptr) columns.push_back({"tokens per second", true, "decoding, at the limit"});
  Table table(std::move(columns), "numbers");
  const auto short_cell = [](double v) { return Cell{short_number(v), v}; };
  const auto whole = [](int64_t n) { return Cell{grouped(n), static_cast<double>(n)}; };
  const auto bytes = [](double v) { return Cell{short_bytes(v), v}; };
  for (size_t i = 0; i < m.size(); ++i) {
    const Count& c = m.counts[i];
    const Blueprint& bp = m.anatomies[i].blueprint;
    std::vector<Cell> row{name_cell(m, i),
                          short_cell(static_cast<double>(c.parameters.total)),
                          short_cell(static_cast<double>(c.parameters.active)),
                          short_cell(static_cast<double>(c.parameters.active_without_embedding)),
                          whole(static_cast<int64_t>(m.anatomies[i].layers())),
                          whole(bp.embedding.width),
                          bytes(c.state.bytes_per_token),
                          bytes(static_cast<double>(c.state.bytes_at_context)),
                          bytes(static_cast<double>(c.weights.bytes)),
                          bytes(c.weights.bytes_per_token),
                          short_cell(c.flops_per_token.decode)};
    if (bp.context > 0 && m.options.compare.context > bp.context) {
      row[7].kind = "beyond";
      row[7].content += "<span class=\"note\">beyond " + grouped(bp.context) + "</span>";
    }
    // Windows bend the growth: beyond them only the other layers add to the state.
    int64_t windowed = 0, widest = 0;
    for (const StateShare& share : c.state.by_kind) {
      if (share.window <= 0) continue;
      windowed += share.elements_per_token;
      widest = std::max(widest, share.window);
    }
    if (windowed > 0) {
      const double later = c.state.bytes_per_token *
                           static_cast<double>(c.state.elements_per_token - windowed) /
                           static_cast<double>(c.state.elements_per_token);
      row[6].content += fmt::format("<span class=\"note\">{} beyond {}</span>", short_bytes(later),
                                    grouped(widest));
    }
    if (decode != nullptr) {
      const double speed = decode->values[i];
      row.push_back({size_text(speed, "tokens/s"), std::isfinite(speed) ? speed : -1});
    }
    table.row(std::move(row));
  }
  return table.write();
}

std::string words_table(const ReportModels& m) {
  static constexpr const char* kTopics[] = {"attention", "reach", "positions", "norms",
                                            "feed-forward"};
  std::vector<Column> columns{{"model"}};
  for (const char* topic : kTopics) columns.push_back({topic});
  Table table(std::move(columns), "words");
  for (size_t i = 0; i < m.size(); ++i) {
    std::vector<Cell> row{name_cell(m, i)};
    for (const char* topic : kTopics) row.push_back({html(said(m, i, topic))});
    table.row(std::move(row));
  }
  return table.write();
}

std::string differences_table(const ReportModels& m) {
  std::vector<Column> columns{{"topic"}};
  for (const std::string& n : m.names) columns.push_back({n});
  Table table(std::move(columns), "differences");
  for (const bool same : {false, true}) {
    for (const Statement& s : m.comparison.statements) {
      if (s.same != same) continue;
      std::vector<Cell> row{{html(s.topic)}};
      // Where most say the same, those that do not are marked, else all are.
      const auto says = [&](const std::string& w) {
        return 2 * std::count(s.words.begin(), s.words.end(), w) >
               static_cast<std::ptrdiff_t>(s.words.size());
      };
      for (const std::string& w : s.words)
        row.push_back({html(w), 0, same || says(w) ? "" : "differs"});
      table.row(std::move(row));
    }
  }
  return table.write();
}

std::string_view table_script() {
  // Markup may stand in no string of it: the page is XML, too.
  return R"(<script>
for (const table of document.querySelectorAll('table.data')) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const choice = document.createElement('select');
  choice.append(new Option('sort by', -1));
  let by = -1, rising = true;
  const key = row => {
    const cell = row.cells[by], value = cell.dataset.v;
    return value === undefined ? cell.textContent.trim().toLowerCase() : Number(value);
  };
  const sort = (column, up) => {
    by = column;
    rising = up;
    const rows = [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b), d = typeof x === 'number' ? x - y : x.localeCompare(y);
      return up ? d : -d;
    });
    body.append(...rows);
    heads.forEach((h, i) => h.setAttribute('aria-sort',
        i === by ? (up ? 'ascending' : 'descending') : 'none'));
    choice.value = by;
  };
  heads.forEach((h, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...h.childNodes);
    h.append(button);
    // Numbers fall first, words rise.
    button.onclick = () => sort(i, i === by ? !rising : !h.classList.contains('n'));
    choice.append(new Option('sorted by ' + button.textContent, i));
  });
  choice.className = 'by';
  choice.setAttribute('aria-label', 'sort by');
  choice.onchange = () => {
    const h = heads[choice.value];
    if (h) sort(Number(choice.value), !h.classList.contains('n'));
  };
  table.parentNode.before(choice);
}
</script>
)";
}

}  // namespace ashlar
