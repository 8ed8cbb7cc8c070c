// What the console makes of a list of what needs a person.

import { expect, test } from 'vitest';
import { createHome } from '../../src/console/home.ts';
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

async function titleOf(lists: Partial<Attention>): Promise<string | undefined> {
  return /<title>([^<]*)</.exec(await pageOf(lists))?.[1];
}

async function pageOf(lists: Partial<Attention>): Promise<string> {
  const home = createHome({
    attention: async () => ({ ...NOTHING, ...lists }),
    timeline: async () => ({ data: [] }),
    readiness: async () => ({ ok: true, checks: {} }),
    providers: [],
  });
  return (await home.request('/')).text();
}
