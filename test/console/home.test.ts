// What the console makes of a list of what needs a person.

import { expect, test } from 'vitest';
import { createHome, type HomeSources } from '../../src/console/home.ts';
import type { Attention } from '../../src/jobs/attention.ts';

const [STUCK, OTHER] = ['8e12eff4-1f0b-5860-93fd-4876ca66286e', 'ff02db11-319c-597f-9090-98c82978e9f1'];
const NOTHING: Attention = {
  review: [],
  discrepancies: [],
  unapplied: [],
  disputes: [],
  webhook_endpoints: [],
  provider_events: [],
  oldest_unfinished: [],
  stale: [],
};

test('a review and the discrepancy that it opens are one thing that needs a person', async () => {
  const review = [{ kind: 'payout', semantic_key: 'stuck', pkid: STUCK, reason: 'key_expired' }];
  const ofReview = { discrepancy_id: 'd-1', pkid: STUCK, reason: 'key_expired' };
  expect(await titleOf({ review, discrepancies: [ofReview] })).toBe('remit: 1 need attention');
  const ofOthers = [
    { discrepancy_id: 'd-2', pkid: STUCK, reason: 'second_reference' },
    { discrepancy_id: 'd-3', pkid: OTHER, reason: 'key_expired' },
  ];
  expect(await titleOf({ review, discrepancies: [ofReview, ...ofOthers] })).toBe('remit: 3 need attention');
});

test('a discrepancy is shown with the ids that are needed to look it up and to close it', async () => {
  const discrepancy = { discrepancy_id: OTHER, pkid: STUCK, extern_payment_id: 'tr_17', reason: 'paid_but_failed' };
  const page = await pageOf({ discrepancies: [discrepancy] });
  for (const id of [OTHER, STUCK, 'tr_17']) expect(page).toContain(`<code>${id}</code>`);
});

test('a timeline says in money what each posting moved', async () => {
  const entries = [
    { wallet_id: 'a-jpy', amount: '-1500', currency: 'JPY' },
    { wallet_id: '@provider:stripe:JPY', amount: '1500', currency: 'JPY' },
  ];
  const posting = { posting_id: OTHER, event: 'payout.succeeded', reverses: null, entries };
  const page = await pageOf({}, { path: '/timeline/payout/po-1', happened: [{ type: 'posting', at: 'now', posting }] });
  expect(page).toContain(`payout.succeeded: a-jpy -1500 JPY, @provider:stripe:JPY 1500 JPY, posting_id ${OTHER}`);
});

async function titleOf(lists: Partial<Attention>): Promise<string | undefined> {
  return /<title>([^<]*)</.exec(await pageOf(lists))?.[1];
}

type Happened = Awaited<ReturnType<HomeSources['timeline']>>['data'];

async function pageOf(
  lists: Partial<Attention>,
  { path = '/', happened = [] }: { path?: string; happened?: Happened } = {},
): Promise<string> {
  const home = createHome({
    attention: async () => ({ ...NOTHING, ...lists }),
    timeline: async () => ({ data: happened }),
    readiness: async () => ({ ok: true, checks: {} }),
    providers: [],
  });
  return (await home.request(path)).text();
}
