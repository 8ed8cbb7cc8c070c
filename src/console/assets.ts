// What the pages load: their style, and the lines that read the figures anew.

export const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 88rem; padding: 1rem; box-sizing: border-box; }
header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 0.3rem; }
small { opacity: 0.6; font-weight: normal; }
nav { margin-left: auto; display: flex; gap: 1rem; }
.sandbox, .live { border-radius: 1rem; padding: 0 0.7rem; font-size: 0.85rem; border: 1px solid; }
.live { background: #b00020; color: #fff; }
.good { color: #16794a; } .bad { color: #b00020; font-weight: 600; }
code { font-size: 0.95em; user-select: all; }
section { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1.2rem 0.25rem 0; border-bottom: 1px solid #8884; }
th { font-weight: 600; opacity: 0.7; font-size: 0.85rem; }
th, .word, .number, .id { white-space: nowrap; }
.number { text-align: right; }
.id { max-width: 20rem; overflow: hidden; text-overflow: ellipsis; }
.id:first-child { max-width: 32rem; }
.text { min-width: 20rem; overflow-wrap: anywhere; }
th:last-child { width: 100%; }
td:last-child, th:last-child { text-align: left; padding-right: 0; }
@media (prefers-color-scheme: dark) { .good { color: #5fd09a; } .bad { color: #ff8095; } }
`;

/** Read anew this often, and not while somebody reads: rows that move under the mouse cannot be copied. */
const REFRESH_MS = 5_000;

export const SCRIPT = `
setInterval(async () => {
  const main = document.querySelector('main');
  if (document.hidden || !document.getSelection().isCollapsed || main.matches(':hover')) return;
  const answer = await window.fetch('/').catch(() => null);
  if (answer === null || !answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
  main.replaceWith(next.querySelector('main'));
  document.title = next.title;
}, ${REFRESH_MS});
`;
