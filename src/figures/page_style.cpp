// One page, light and dark, for wide windows and for phones.
#include "figures/page_style.h"

#include <fmt/format.h>

#include "figures/svg.h"

namespace ashlar {

namespace {

constexpr std::string_view kReportStyle =
    R"(:root{color-scheme:light dark;--page:#fff;--text:#17202c;--soft:#556171;--line:#dfe4ea;
--card:#f8f9fb;--accent:#2f62d9;--mark:#ffe48f;--chip:#e9eef8}
@media (prefers-color-scheme:dark){:root{--page:#11161d;--text:#e9eef5;--soft:#a6b2c2;--line:#2b3542;
--card:#171e28;--accent:#7ea4ff;--mark:#6a5310;--chip:#223049}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
main{max-width:1360px;margin:0 auto;padding:32px 24px 80px}
h1{font-size:34px;line-height:1.15;margin:8px 0 12px;letter-spacing:-.02em}
h2{font-size:24px;margin:56px 0 10px;letter-spacing:-.01em}
h3{font-size:19px;margin:22px 0 8px}h4{font-size:16px;margin:0}
p{max-width:76ch;margin:8px 0 14px}
a{color:var(--accent)}
nav{display:flex;flex-wrap:wrap;gap:6px 18px;margin:18px 0 8px;font-size:15px}
.soft{color:var(--soft)}.small{font-size:13px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:12px;margin:14px 0;
-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th,td{padding:6px 9px;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td,tr:last-child th{border-bottom:0}
thead th{position:sticky;top:0;background:var(--card);font-weight:600;white-space:nowrap}
tbody th{position:sticky;left:0;background:var(--page);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead th.n{white-space:normal}
thead button{all:unset;cursor:pointer;font:inherit}thead button:focus-visible{outline:2px solid var(--accent)}
thead button::after{content:" \2195";color:var(--soft);font-weight:400}
[aria-sort=ascending] button::after{content:" \2191"}[aria-sort=descending] button::after{content:" \2193"}
select.by{display:none;font:inherit;margin:6px 0;padding:4px 8px;border:1px solid var(--line);border-radius:8px;
background:var(--card);color:var(--text)}
td.w{min-width:84px;overflow-wrap:anywhere}.words td.w,.differences td.w{min-width:150px}
td .note{display:block;font-size:12px}td.beyond{background:color-mix(in srgb,var(--mark) 45%,transparent)}
td.differs{background:color-mix(in srgb,var(--mark) 45%,transparent)}
.dot{display:inline-block;width:11px;height:11px;border-radius:50%;background:var(--accent)}
.matrix th,.matrix td{text-align:center;padding:4px 3px}
.matrix tbody th{text-align:left;padding-left:9px}
.matrix thead th{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:9px 3px;
position:static}
.matrix thead th:first-child{writing-mode:horizontal-tb;transform:none}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(520px,100%),1fr));gap:20px}
.slim{display:none}figure.plain{margin:14px 0}
.plots figure,.model figure,.side{margin:0}
.plots figure{border:1px solid var(--line);border-radius:14px;padding:10px;background:var(--card)}
figure svg{display:block;max-width:100%;height:auto;margin:0 auto}
.ideas{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(400px,100%),1fr));gap:14px;
padding:0;list-style:none}
.ideas li{border:1px solid var(--line);border-radius:12px;padding:12px 16px;background:var(--card)}
.ideas p{margin:4px 0 6px;font-size:15px}.ideas p.small{font-size:13px}
.ideas .year{color:var(--soft);font-weight:400;margin-left:8px}
.chips{display:flex;flex-wrap:wrap;gap:5px;font-size:13px}
.chip{background:var(--chip);border-radius:20px;padding:1px 10px;color:var(--text);text-decoration:none}
.model{border:1px solid var(--line);border-radius:16px;padding:18px 20px;margin:22px 0;
background:var(--card)}
.model h3{margin-top:0}.model ul{margin:6px 0 14px;padding-left:20px;columns:2;column-gap:40px;font-size:15px}
.model li{break-inside:avoid;margin-bottom:3px}
.only{background:var(--mark);border-radius:5px;padding:0 5px;font-size:13px}
.tall{display:none}
footer{margin-top:56px;border-top:1px solid var(--line);padding-top:16px;font-size:14px}
pre{white-space:pre-wrap;font-size:13px;color:var(--soft)}
@media (max-width:1100px){.wide{display:none}.tall{display:block}
.scroll:has(.data){border:0;overflow:visible}select.by{display:block}
.data,.data tbody{display:block}.data thead{display:none}
.data tbody{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));gap:10px}
.data tr{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:5px 10px;align-content:start;
border:1px solid var(--line);border-radius:10px;padding:9px 12px;background:var(--card)}
.data tbody th{grid-column:1/-1;position:static;background:none;border:0;padding:0;font-size:15px;max-width:none}
.data td,.data td.n{border:0;padding:0;text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:0}
.data td::before{content:attr(data-l);display:block;color:var(--soft);font-size:12px;line-height:1.25}
.words td.w,.differences td.w{grid-column:1/-1;min-width:0}
.differences td.differs{padding:2px 5px;border-radius:5px}}
@media (max-width:760px){main{padding:18px 14px 60px}h1{font-size:27px;overflow-wrap:anywhere}
h2{font-size:21px;margin-top:40px}.model{padding:14px 10px}.model ul{columns:1}}
@media (max-width:680px){.broad{display:none}.slim{display:block}}
@media print{.model,.plots figure,.data tr,.ideas li{break-inside:avoid}nav,select.by{display:none}
h2,h3,h2+.soft{break-after:avoid}.plots{grid-template-columns:1fr 1fr;gap:10px}
.plots .broad{display:none}.plots .slim{display:block}
thead button::after{content:""}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.scroll{overflow:visible;border:0}table{font-size:11px}th,td{padding:3px 5px}
thead th,tbody th{position:static}td,td.n,th.n,thead th,tbody th{white-space:normal}}
)";

}  // namespace

std::string page_head(std::string_view title, std::string_view more_style) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>{}</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<main>\n",
      xml_escaped(title), kReportStyle, more_style);
}

}  // namespace ashlar
