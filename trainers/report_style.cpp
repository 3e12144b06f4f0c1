#include "trainers/report_page.h"

namespace casimir {

const char* const report_style = R"(
:root { --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2430; --faint: #5d6776; --rule: #e3e7ec;
  --axis: #8a94a3; --s0: #1f6fb4; --s1: #c8591b; --s2: #3c8a4d; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181e; --panel: #1c2129; --ink: #e4e8ee; --faint: #9aa5b4; --rule: #2b323c;
    --axis: #6d7887; --s0: #6fb1ec; --s1: #f0975a; --s2: #7cc48c; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 56px 0 16px; padding-bottom: 8px; font-size: 19px; border-bottom: 1px solid var(--rule); }
h3 { margin: 0 0 10px; font-size: 14px; color: var(--faint); font-weight: 600; }
header p { margin: 6px 0 0; color: var(--faint); overflow-wrap: anywhere; }
.note { color: var(--faint); margin: 0 0 14px; white-space: pre-line; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px;
  margin-top: 28px; }
.tile { padding: 14px 18px; background: var(--panel); border-radius: 10px; }
.tile span { display: block; color: var(--faint); font-size: 13px; }
.tile b { font-size: 27px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile small { margin-left: 6px; color: var(--faint); font-size: 14px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr));
  gap: 30px 28px; margin: 20px 0; align-items: start; }
figure { margin: 0; max-width: 600px; }
.columns .scroll { max-height: 540px; }
.columns figure { max-width: 420px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.scroll { overflow: auto; margin: 0 0 18px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 5px 14px; text-align: right; white-space: nowrap; vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; }
th { font-weight: 600; border-bottom: 1px solid var(--axis); }
th small { display: block; font-weight: 400; color: var(--faint); font-size: 12.5px; }
td { border-bottom: 1px solid var(--rule); }
.ruled td { border-top: 1px solid var(--axis); font-weight: 600; }
.left { text-align: left; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr));
  gap: 28px 40px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 18px; margin: 0; font-size: 14px; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
pre { margin: 0; padding: 14px 18px; overflow-x: auto; background: var(--panel); border-radius: 10px;
  font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
summary { cursor: pointer; color: var(--faint); }
details pre { margin-top: 12px; }
.paper { fill: none; }
.head, .plain { fill: var(--ink); }
.faint { fill: var(--faint); }
.halo { stroke: var(--paper); }
.rule { stroke: var(--rule); }
.axis, .mark { stroke: var(--axis); }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); } .s2 { stroke: var(--s2); }
.cells, .bar { fill: var(--s0); }
@media (max-width: 600px) { main { padding: 24px 16px 60px; } h1 { font-size: 25px; } }
@media print { .columns .scroll { max-height: none; } section { break-inside: avoid; } }
)";

}  // namespace casimir
