// The first page for operators: everything that needs a person, with money and age, and how the process is. It only
// shows; whoever mounts it asks for the key first.

import { Hono } from 'hono';
import { html } from 'hono/html';
import { formatMoney, isCurrency } from '../domain/money.ts';
import type { Attention } from '../jobs/attention.ts';

export interface HomeSources {
  readonly attention: () => Promise<Attention>;
  readonly readiness: () => Promise<{ ok: boolean; checks: Readonly<Record<string, { ok: boolean; detail: string }>> }>;
  /** Provider -> whether real money moves there. */
  readonly providers: readonly { readonly name: string; readonly live: boolean }[];
}

type Row = Readonly<Record<string, unknown>>;
type Html = ReturnType<typeof html>;

const REVIEW_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'reason', 'age_seconds', 'extern_payment_id'];
const DISCREPANCY_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'reason', 'age_seconds', 'detail'];
const UNAPPLIED_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'reason', 'age_seconds', 'unapplied_id'];
const DISPUTE_COLUMNS = ['dispute_id', 'order_id', 'amount', 'provider', 'age_seconds', 'evidence_due'];
const ENDPOINT_COLUMNS = ['url', 'status', 'reason', 'failed', 'age_seconds'];
const STALE_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'age_seconds', 'attempts', 'next_look_at'];
/** The page asks again by itself this often, in seconds. */
const REFRESH_SECONDS = 5;
const HEADERS = {
  'Content-Security-Policy': "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  'Cache-Control': 'no-store',
} as const;

export function createHome(sources: HomeSources): Hono {
  const home = new Hono();
  home.get('/', async (c) => {
    const [attention, readiness] = await Promise.all([sources.attention(), sources.readiness()]);
    return c.html(page({ attention, readiness, providers: sources.providers }), 200, HEADERS);
  });
  home.get('/console.css', (c) => c.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8' }));
  return home;
}

function page(facts: {
  attention: Attention;
  readiness: Awaited<ReturnType<HomeSources['readiness']>>;
  providers: HomeSources['providers'];
}): Html {
  const { attention, readiness, providers } = facts;
  const { review, discrepancies, unapplied, disputes, stale } = attention;
  const { oldest_unfinished: unfinished, webhook_endpoints: endpoints } = attention;
  const unfinishedRows = unfinished.map((row) => ({ ...row }));
  const checks = Object.entries(readiness.checks);
  const checkRows = checks.map(([check, { ok, detail }]) => ({ check, state: ok ? 'ok' : 'NOT OK', detail }));
  const needs = [review, discrepancies, unapplied, disputes, endpoints].reduce((sum, rows) => sum + rows.length, 0);
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="refresh" content="${REFRESH_SECONDS}" />
    <title>remit: ${needs === 0 ? 'all is well' : `${needs} need attention`}</title>
    <link rel="stylesheet" href="/console.css" />
  </head>
  <body>
    <header>
      <h1>remit</h1>
      ${providers.map(({ name, live }) => badge(name, live ? 'live' : 'sandbox'))}
      <nav><a href="/admin/queues">Queues</a> <a href="/docs">API docs</a></nav>
    </header>
    <main>
      <p class="${needs === 0 ? 'good' : 'bad'}">${needs === 0 ? 'Nothing needs a person.' : needsText(needs)}</p>
      ${table('In review', review, REVIEW_COLUMNS)} ${table('Discrepancies', discrepancies, DISCREPANCY_COLUMNS)}
      ${table('Unapplied money', unapplied, UNAPPLIED_COLUMNS)} ${table('Open disputes', disputes, DISPUTE_COLUMNS)}
      ${table('Endpoints that were not told', endpoints, ENDPOINT_COLUMNS)}
      ${table('Waiting longer than usual', stale, STALE_COLUMNS)}
      ${table('Unfinished', unfinishedRows, ['kind', 'count', 'age_seconds'])}
      ${table('Process', checkRows, ['check', 'state', 'detail'])}
    </main>
  </body>
</html>`;
}

function badge(name: string, state: 'live' | 'sandbox'): Html {
  return html`<span class="${state}">${name}: ${state}</span>`;
}

function needsText(needs: number): string {
  return `${needs} ${needs === 1 ? 'thing needs' : 'things need'} a person. docs/runbook.md says what to do with each.`;
}

function table(title: string, rows: readonly Row[], columns: readonly string[]): Html {
  if (rows.length === 0) return html``;
  return html`<section>
    <h2>${title} <small>${rows.length}</small></h2>
    <table>
      <thead>
        <tr>
          ${columns.map((column) => html`<th class="${CLASSES[column] ?? 'word'}">${HEADINGS[column] ?? column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`<tr>${columns.map((column) => cell(row, column))}</tr>`)}
      </tbody>
    </table>
  </section>`;
}

const HEADINGS: Readonly<Record<string, string>> = {
  semantic_key: 'Key',
  amount: 'Money',
  provider: 'Provider',
  reason: 'Why',
  age_seconds: 'Age',
  extern_payment_id: "Provider's id",
  detail: 'Detail',
  unapplied_id: 'Id',
  dispute_id: 'Dispute',
  order_id: 'Order',
  evidence_due: 'Evidence due',
  url: 'Endpoint',
  status: 'Status',
  failed: 'Given up',
  attempts: 'Attempts',
  next_look_at: 'Next look',
  kind: 'Kind',
  count: 'Count',
  check: 'Check',
  state: 'State',
};

/** How a column is set; the others hold a word or two that are never broken. */
const CLASSES: Readonly<Record<string, 'id' | 'text' | 'number'>> = {
  semantic_key: 'id',
  extern_payment_id: 'id',
  unapplied_id: 'id',
  dispute_id: 'id',
  order_id: 'id',
  url: 'id',
  detail: 'text',
  amount: 'number',
  count: 'number',
  failed: 'number',
  attempts: 'number',
  age_seconds: 'number',
};

/** An id that is cut is whole in its title, and when it is copied. */
function cell(row: Row, column: string): Html {
  const name = CLASSES[column] ?? 'word';
  const text = textOf(row, column);
  return name === 'id' ? html`<td class="id" title="${text}">${text}</td>` : html`<td class="${name}">${text}</td>`;
}

function textOf(row: Row, column: string): string {
  const value = row[column];
  if (value === null || value === undefined) return '-';
  if (column === 'amount') return moneyText(String(value), String(row.currency ?? ''));
  if (column === 'age_seconds') return ageText(Number(value));
  return String(value);
}

function moneyText(minor: string, code: string): string {
  return isCurrency(code) ? formatMoney({ amountMinor: BigInt(minor), currency: code }) : minor;
}

function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

const STYLE = `
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
