"""Stylesheet of the HTML reports: light and dark mode, small screens, printing."""

STYLE = """
:root {
  --page: #f5f6f8; --card: #fff; --ink: #1d2430; --soft: #5d6675; --line: #dfe3e9;
  --accent: #0072b2; --bar: #a9d0e8; --hover: #f1f6fa; --note: #fff8e6;
  --note-line: #e5b93c; --head: #f9fafb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --card: #1b2028; --ink: #e6e9ee; --soft: #9ba5b4; --line: #303845;
    --accent: #6cb8e6; --bar: #2b6a91; --hover: #232a34; --note: #2a2618;
    --note-line: #a98a35; --head: #20262f;
  }
  .paper { filter: brightness(.93); }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 3rem; max-width: 80rem;
  background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
    "Liberation Sans", sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 1.4rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .8rem; }
code {
  font: .92em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono",
    monospace;
}
a { color: var(--accent); text-underline-offset: .15em; }
dl, dd, dt { margin: 0; }
dt { color: var(--soft); }
.headline { display: flex; flex-wrap: wrap; gap: .8rem; margin-bottom: 1.2rem; }
.headline div {
  flex: 1 1 11rem; background: var(--card); border: 1px solid var(--line);
  border-top: 3px solid var(--accent); border-radius: 8px; padding: .8rem 1.1rem;
}
.headline dt { font-size: .85rem; }
.headline dd {
  font-size: 1.5rem; font-weight: 650; line-height: 1.3;
  font-variant-numeric: tabular-nums;
}
.facts, section {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
}
.facts { padding: .5rem 1.2rem; font-size: .93rem; }
.facts div {
  display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: 1rem;
  padding: .4rem 0; border-bottom: 1px solid var(--line);
}
.facts div:last-child { border-bottom: 0; }
.facts dd { overflow-wrap: anywhere; }
aside {
  margin-top: 1.2rem; padding: .9rem 1.2rem; background: var(--note);
  border: 1px solid var(--line); border-left: 4px solid var(--note-line);
  border-radius: 8px; font-size: .93rem;
}
aside h2 { font-size: 1rem; margin-bottom: .4rem; }
aside ul { margin: 0; padding-left: 1.2rem; }
aside li + li { margin-top: .25rem; }
nav ul {
  display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; list-style: none;
  margin: 1.2rem 0 0; padding: 0; font-size: .93rem;
}
section { margin-top: 1.4rem; padding: 1.2rem; }
.scroll { overflow-x: auto; }
.scroll.long {
  max-height: 80vh; overflow-y: auto; border-bottom: 1px solid var(--line);
}
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table {
  width: 100%; border-collapse: separate; border-spacing: 0; font-size: .9rem;
  font-variant-numeric: tabular-nums;
}
th, td {
  padding: .38rem .75rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line);
}
th {
  position: sticky; top: 0; z-index: 1; background: var(--head); font-weight: 600;
  vertical-align: bottom; border-top: 1px solid var(--line);
}
td code { overflow-wrap: anywhere; font-size: .88em; }
.name { min-width: 17.5rem; }
.command span { display: inline-block; max-width: 100%; }
.unit { display: block; color: var(--soft); font-weight: 400; font-size: .85em; }
.number { text-align: right; white-space: nowrap; }
tbody tr:hover td { background: var(--hover); }
.total td { font-weight: 650; border-top: 2px solid var(--soft); }
.bar { padding-right: 0; width: 5.5rem; }
.bar span { display: block; width: 4.5rem; padding-top: .45em; }
.bar i {
  display: block; height: .72em; min-width: 1px; background: var(--bar);
  border-radius: 2px;
}
.bar + .number { width: 1%; }
.note { margin: .7rem 0 0; color: var(--soft); font-size: .88rem; }
figure { margin: 0; }
.paper {
  background: #fff; border-radius: 6px; padding: .6rem; text-align: center;
  overflow: hidden;
}
.paper img { display: block; margin: 0 auto; max-width: 100%; height: auto; }
figcaption { margin-top: .7rem; color: var(--soft); font-size: .9rem; }
footer { margin-top: 1.6rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) {
  body { padding: 1.3rem .8rem 2rem; }
  h1 { font-size: 1.5rem; }
  .facts div { grid-template-columns: minmax(0, 1fr); gap: 0; }
  section { padding: .9rem; }
  th, td { padding: .35rem .5rem; }
  .name { min-width: 9rem; }
  .bar, .bar span { width: 2.5rem; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc;
    --accent: #0072b2; --bar: #a9d0e8; --note: #fff; --head: #fff; --hover: #fff;
  }
  html { font-size: 11px; }
  body { max-width: none; padding: 0; font-size: 1rem; }
  table { font-size: 9px; }
  th, td { padding: .2rem .35rem; }
  .name { min-width: 0; }
  .bar, .bar span { width: 2.5rem; }
  nav { display: none; }
  section { border: 0; padding: 0; }
  h2 { break-after: avoid; }
  figure, tr, aside, .headline { break-inside: avoid; }
  .scroll, .scroll.long { overflow: visible; max-height: none; }
  th { position: static; }
  .bar i, .headline div {
    -webkit-print-color-adjust: exact; print-color-adjust: exact;
  }
}
"""

__all__ = ['STYLE']
