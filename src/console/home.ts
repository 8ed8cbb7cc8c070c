// The first page for operators: everything that needs a person, with money and age, and how the process is. It only
// shows; whoever mounts it asks for the key first. From there it is one step to the timeline of each operation.

import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { OPERATION_KINDS, type Pkid, pkidOf } from '../domain/id.ts';
import type { Attention } from '../jobs/attention.ts';
import { SCRIPT, STYLE } from './assets.ts';
import { type Html, moneyText, type Row, table } from './table.ts';

export interface HomeSources {
  readonly attention: () => Promise<Attention>;
  readonly readiness: () => Promise<{ ok: boolean; checks: Readonly<Record<string, { ok: boolean; detail: string }>> }>;
  /** Everything that happened to an operation, in order; nothing when there is none. */
  readonly timeline: (pkid: Pkid) => Promise<{ readonly data: readonly Happening[] }>;
  /** Provider -> whether real money moves there. */
  readonly providers: readonly { readonly name: string; readonly live: boolean }[];
}

/** One line of a timeline; a posting comes with its entries. */
interface Happening extends Row {
  readonly posting?: {
    readonly event: string;
    readonly posting_id: string;
    readonly entries: readonly { readonly wallet_id: string; readonly amount: string; readonly currency: string }[];
  };
}

const REVIEW_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'reason', 'age_seconds', 'extern_payment_id'];
const DISCREPANCY_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'reason', 'age_seconds', 'detail'];
const UNAPPLIED_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'reason', 'age_seconds', 'unapplied_id'];
const DISPUTE_COLUMNS = ['dispute_id', 'order_id', 'amount', 'provider', 'age_seconds', 'evidence_due'];
const ENDPOINT_COLUMNS = ['url', 'status', 'reason', 'failed', 'age_seconds'];
const EVENT_COLUMNS = ['provider', 'type', 'extern_payment_id', 'age_seconds', 'next_look_at'];
const STALE_COLUMNS = ['kind', 'semantic_key', 'amount', 'provider', 'age_seconds', 'attempts', 'next_look_at'];
const RUNBOOK = new URL('../../docs/runbook.md', import.meta.url);
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
    "frame-ancestors 'none'; base-uri 'none'",
  'Cache-Control': 'no-store',
} as const;

export function createHome(sources: HomeSources): Hono {
  const home = new Hono();
  home.get('/', async (c) => {
    const [attention, readiness] = await Promise.all([sources.attention(), sources.readiness()]);
    return c.html(page({ attention, readiness, providers: sources.providers }), 200, HEADERS);
  });
  home.get('/timeline/:kind/:key', async (c) => {
    const kind = OPERATION_KINDS.find((name) => name === c.req.param('kind'));
    const key = c.req.param('key');
    const rows = kind === undefined ? [] : (await sources.timeline(pkidOf(kind, key))).data;
    return c.html(timelinePage(`${kind ?? 'operation'} ${key}`, rows), rows.length === 0 ? 404 : 200, HEADERS);
  });
  home.get('/runbook', async (c) => c.text(await readFile(RUNBOOK, 'utf8')));
  home.get('/console.js', (c) => c.body(SCRIPT, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }));
  home.get('/console.css', (c) => c.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8' }));
  return home;
}

function page(facts: {
  attention: Attention;
  readiness: Awaited<ReturnType<HomeSources['readiness']>>;
  providers: HomeSources['providers'];
}): Html {
  const { attention, readiness, providers } = facts;
  const { review, unapplied, disputes, stale } = attention;
  const discrepancies = beside(attention);
  const { oldest_unfinished: unfinished, webhook_endpoints: endpoints, provider_events: events } = attention;
  const unfinishedRows = unfinished.map((row) => ({ ...row }));
  const checks = Object.entries(readiness.checks);
  const checkRows = checks.map(([check, { ok, detail }]) => ({ check, state: ok ? 'ok' : 'NOT OK', detail }));
  const lists = [review, discrepancies, unapplied, disputes, endpoints, events];
  const needs = lists.reduce((sum, rows) => sum + rows.length, 0);
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>remit: ${needs === 0 ? 'all is well' : `${needs} need attention`}</title>
    <link rel="stylesheet" href="/console.css" />
    <script src="/console.js" defer></script>
  </head>
  <body>
    <header>
      <h1>remit</h1>
      ${providers.map(({ name, live }) => badge(name, live ? 'live' : 'sandbox'))}
      <nav><a href="/runbook">Runbook</a> <a href="/admin/queues">Queues</a> <a href="/docs">API docs</a></nav>
    </header>
    <main>
      <p class="${needs === 0 ? 'good' : 'bad'}">${needs === 0 ? 'Nothing needs a person.' : needsText(needs)}</p>
      <small>As of ${new Date().toISOString().slice(11, 19)} UTC. Nothing moves while you point here or select.</small>
      ${table('In review', review, REVIEW_COLUMNS)} ${table('Discrepancies', discrepancies, DISCREPANCY_COLUMNS)}
      ${table('Unapplied money', unapplied, UNAPPLIED_COLUMNS)} ${table('Open disputes', disputes, DISPUTE_COLUMNS)}
      ${table('Endpoints that were not told', endpoints, ENDPOINT_COLUMNS)}
      ${table('Events that could not be applied', events, EVENT_COLUMNS)}
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

function needsText(needs: number): Html {
  const things = `${needs} ${needs === 1 ? 'thing needs' : 'things need'} a person.`;
  return html`${things} The <a href="/runbook">runbook</a> says what to do with each.`;
}

/** Whatever is in review has a discrepancy of the same reason, for the record; resolving it closes both. */
function beside({ review, discrepancies }: Attention): readonly Row[] {
  const shown = new Set(review.map(({ pkid, reason }) => `${pkid} ${reason}`));
  return discrepancies.filter(({ pkid, reason }) => !shown.has(`${pkid} ${reason}`));
}

function timelinePage(title: string, rows: readonly Happening[]): Html {
  const shown = rows.map((row) => ({ at: row.at, type: row.type, facts: factsOf(row) }));
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>remit: ${title}</title>
    <link rel="stylesheet" href="/console.css" />
  </head>
  <body>
    <header><h1>${title}</h1><nav><a href="/">Console</a></nav></header>
    <main>
      ${rows.length === 0 ? html`<p class="bad">There is no such operation. Check its kind and its key.</p>` : ''}
      ${table('Timeline', shown, ['at', 'type', 'facts'])}
    </main>
  </body>
</html>`;
}

/** What is null says nothing. */
function factsOf({ at: _at, type: _type, posting, ...facts }: Happening): string {
  if (posting !== undefined) {
    const lines = posting.entries.map((entry) => `${entry.wallet_id} ${moneyText(entry.amount, entry.currency)}`);
    return `${posting.event}: ${lines.join(', ')}, posting_id ${posting.posting_id}`;
  }
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  return known
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}
