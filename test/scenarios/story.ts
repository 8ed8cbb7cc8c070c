// The words scenarios are told in: requests over HTTP with the key, wallets with money, and what must agree in the end:
// the operations, the audit, the ledger and the provider's own book.

import { expect } from 'vitest';
import { type Home, until } from '../harness/process.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Json;
}

/** JSON that tests look into by name. */
export interface Json {
  readonly [name: string]: Json;
}

export interface BookRow {
  readonly provider: string;
  readonly direction: string;
  readonly key: string;
  readonly amount: string;
  readonly currency: string;
}

export interface Operation {
  readonly pkid: string;
  readonly semantic_key: string;
  readonly status: string;
  readonly amount: string;
  readonly provider?: string;
  readonly destination?: string;
  readonly attempts?: number;
  readonly failure: { readonly code: string; readonly detail: string } | null;
  readonly reversals?: readonly { readonly amount: string }[];
}

export interface Story {
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  get(path: string): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  /** As a careful client: repeats the same request until it is answered, whatever dies meanwhile. */
  insist(path: string, body: unknown): Promise<Answer>;
  wallet(walletId: string, funds?: string): Promise<void>;
  available(walletId: string): Promise<string>;
  operations(kind: 'payouts' | 'transfers'): Promise<Operation[]>;
  book(): Promise<BookRow[]>;
  sandbox(method: string, path: string, body?: unknown): Promise<Json>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
}

export const FINAL = ['succeeded', 'failed'];
const ANSWERED_WITHIN_MS = 60_000;
const PAGE = 500;

export function tell(home: Home): Story {
  const story: Story = {
    async call(method, path, { body, headers = {}, key = home.key } = {}) {
      const sent = body === undefined ? {} : { 'Content-Type': 'application/json' };
      const response = await fetch(`${home.url()}${path}`, {
        method,
        headers: { Authorization: `Bearer ${key}`, ...sent, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, json: parsed(await response.text()) };
    },
    get: (path) => story.call('GET', path),
    post: (path, body) => story.call('POST', path, { body }),
    insist(path, body) {
      const attempt = async () => {
        const answer = await story.post(path, body).catch(() => null);
        return answer === null || answer.status >= 500 ? null : answer;
      };
      return until(`an answer to POST ${path}`, attempt, ANSWERED_WITHIN_MS);
    },
    async wallet(walletId, funds) {
      const wallet = { wallet_id: walletId, owner_id: `owner-${walletId}`, kind: 'seller', currency: 'USD' };
      expect((await story.insist('/v1/wallets', wallet)).status).toBeLessThan(300);
      if (funds === undefined) return;
      const reason = 'opening balance';
      const adjustment = {
        semantic_key: `fund-${walletId}`,
        wallet_id: walletId,
        amount: funds,
        currency: 'USD',
        reason,
      };
      expect((await story.insist('/v1/adjustments', adjustment)).status).toBeLessThan(300);
    },
    async available(walletId) {
      return String((await story.get(`/v1/wallets/${walletId}`)).json.available);
    },
    async operations(kind) {
      const found: Operation[] = [];
      let cursor = '';
      do {
        const page: Page = Object((await story.get(`/v1/${kind}?limit=${PAGE}${cursor}`)).json);
        found.push(...page.data);
        cursor = page.next_cursor === null ? '' : `&cursor=${encodeURIComponent(page.next_cursor)}`;
      } while (cursor !== '');
      return found;
    },
    async book() {
      const book: { data: BookRow[] } = Object(await story.sandbox('GET', '/_sandbox/book'));
      return book.data;
    },
    async sandbox(method, path, body) {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`${home.sandboxUrl()}${path}`, { method, ...sent });
      expect(response.status).toBe(200);
      return parsed(await response.text());
    },
  };
  return story;
}

type Page = { readonly data: readonly Operation[]; readonly next_cursor: string | null };

function parsed(text: string): Json {
  return text.startsWith('{') ? JSON.parse(text) : {};
}

/** Waits until no operation of that kind is on its way any more; those that `mayWait` may. */
export async function allFinal(
  story: Story,
  options: { count: number; kind: 'payouts' | 'transfers'; limitMs: number; mayWait?: (one: Operation) => boolean },
): Promise<Operation[]> {
  const { count, kind, limitMs, mayWait = () => false } = options;
  let seen: Operation[] = [];
  const isDone = (one: Operation) => FINAL.includes(one.status) || mayWait(one);
  try {
    await until(
      `${count} ${kind} are final`,
      async () => {
        seen = await story.operations(kind).catch(() => []);
        return seen.length === count && seen.every(isDone);
      },
      limitMs,
    );
  } catch (cause) {
    const open = seen.filter((one) => !isDone(one)).map((one) => `${one.semantic_key} ${one.status}`);
    // What is not final by then is a finding, and no fault of the test.
    expect({ [kind]: seen.length, open }).toEqual({ [kind]: count, open: [] });
    throw cause;
  }
  return seen;
}

/** The promise of the whole program: what we say, what we booked and what the provider did are the same. */
export async function expectBooksAgree(story: Story): Promise<void> {
  await expectReturnsBooked(story);
  const payouts = await story.operations('payouts');
  const book = await story.book();
  const paid = Map.groupBy(
    book.filter(({ direction }) => direction === 'out'),
    ({ key }) => key,
  );
  const wrong = payouts.flatMap(({ semantic_key, status, pkid, amount }) => {
    const rows = paid.get(pkid) ?? [];
    const expected = status === 'succeeded' ? [amount] : status === 'failed' ? [] : null;
    const moved = rows.map((row) => row.amount);
    return expected === null || String(moved) === String(expected) ? [] : [{ semantic_key, status, moved }];
  });
  expect(wrong).toEqual([]);
  const known = new Set(payouts.map(({ pkid }) => pkid));
  expect(book.filter(({ key }) => !known.has(key))).toEqual([]);
  await expectProviderWallets(story, { payouts, book });
  expect(await violations(story)).toEqual([]);
}

/** The event of a return may still be on its way when everything is final. */
export async function expectReturnsBooked(story: Story): Promise<void> {
  let wrong: string[] = [];
  const look = async () => {
    const back = new Set((await story.book()).filter(({ direction }) => direction === 'return').map(({ key }) => key));
    const payouts = await story.operations('payouts');
    const differing = payouts.filter(({ pkid, reversals = [] }) => back.has(pkid) !== reversals.length > 0);
    wrong = differing.map(({ semantic_key, destination }) => `${semantic_key} to ${destination}`);
    return wrong.length === 0;
  };
  await until('what came back is booked', look, RETURNS_BOOKED_WITHIN_MS).catch(() => {});
  expect({ returnsNotBooked: wrong }).toEqual({ returnsNotBooked: [] });
}

const RETURNS_BOOKED_WITHIN_MS = 30_000;

/** What a provider wallet holds is what the payouts through it took, less what came back. */
async function expectProviderWallets(
  story: Story,
  { payouts, book }: { payouts: readonly Operation[]; book: readonly BookRow[] },
): Promise<void> {
  for (const provider of ['stripe', 'demobank']) {
    const ours = payouts.filter((one) => one.provider === provider && one.status === 'succeeded');
    if (ours.length === 0) continue;
    const back = ours.flatMap(({ reversals = [] }) => reversals);
    const posted = (await story.get(`/v1/wallets/${encodeURIComponent(`@provider:${provider}:USD`)}`)).json.posted;
    expect(String(posted)).toBe(String(sum(ours) - sum(back)));
    const open = new Set(payouts.filter(({ status }) => !FINAL.includes(status)).map(({ pkid }) => pkid));
    const rows = book.filter((row) => row.provider === provider && !open.has(row.key));
    const returned = rows.filter(({ direction }) => direction === 'return');
    expect(sum(back)).toBe(sum(returned));
  }
}

function sum(rows: readonly { readonly amount: string }[]): bigint {
  return rows.reduce((total, { amount }) => total + BigInt(amount), 0n);
}

/** What the audit over HTTP finds, as one line each. */
export async function violations(story: Story): Promise<string[]> {
  const audit = await story.post('/v1/audit');
  expect(audit.status).toBe(200);
  const report: { checks: { id: string; violations: unknown[] }[] } = Object(audit.json);
  expect(report.checks.length).toBeGreaterThan(0);
  return report.checks.flatMap(({ id, violations: rows }) => rows.map((row) => `${id}: ${JSON.stringify(row)}`));
}
