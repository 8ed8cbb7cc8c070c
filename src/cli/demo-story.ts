// The middle of the demo: one seller, one step at a time, and what remit makes of a provider that misbehaves.

import { z } from 'zod';
import { expectWallet, failureOf, hasSucceeded, type Stage, until } from './demo-checks.ts';
import type { Reply } from './demo-client.ts';

export async function playStory(stage: Stage): Promise<void> {
  await openWallets(stage);
  await transferOnce(stage);
  await sendIntoSilence(stage);
  await payOut(stage);
  await declinedPayout(stage);
  await lostAnswer(stage);
  await moneyThatComesBack(stage);
  await aPersonDecides(stage);
}

const SELLER = 'ada-usd';
const PARTNER = 'ben-usd';
/** The payout that never gets an answer. */
const SILENT = 'payout:ben:1';
const RESOLVE_TRIES_MAX = 5;

async function openWallets(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('Two wallets, and money to begin with');
  for (const [wallet_id, owner_id] of [
    [SELLER, 'ada'],
    [PARTNER, 'ben'],
  ]) {
    await client.showPost('/v1/wallets', { wallet_id, owner_id, kind: 'seller', currency: 'USD' });
  }
  screen.note('An operator books 1,000.00 USD. Amounts are strings of minor units: cents here.');
  await client.showPost('/v1/adjustments', {
    semantic_key: 'opening:ada',
    wallet_id: SELLER,
    amount: '100000',
    currency: 'USD',
    reason: 'Opening balance',
  });
  await expectWallet(stage, SELLER, { posted: '100000', held: '0' });
}

async function transferOnce(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  const order = {
    semantic_key: 'rent:2026-11',
    from_wallet: SELLER,
    to_wallet: PARTNER,
    amount: '25000',
    currency: 'USD',
  };
  screen.step('A transfer; "wait" answers as soon as it is final');
  const first = await client.showPost('/v1/transfers?wait=10', order);
  screen.claim('accepted and done', first.status === 202 && first.body.status === 'succeeded');

  screen.step('The same request again, as after a lost connection');
  const again = await client.showPost('/v1/transfers', order);
  screen.claim('answered as a replay: the same transfer', again.isReplay && again.body.pkid === first.body.pkid);
  await expectWallet(stage, SELLER, { posted: '75000', held: '0' });

  screen.step('The same key for something else');
  const reused = await client.showPost('/v1/transfers', { ...order, amount: '99900' });
  screen.claim('refused, nothing changed', reused.status === 422 && reused.body.code === 'key-reused');
}

async function sendIntoSilence({ client, screen }: Stage): Promise<void> {
  screen.step('A payout to a bank that never says what became of it; we come back to it below');
  screen.note('In the sandbox a word in the destination decides what the provider does: here "never".');
  const to = 'account_never_ben';
  const order = payout({ key: SILENT, wallet: PARTNER, to, provider: 'demobank', confirm: true });
  const accepted = await client.showPost('/v1/payouts', order);
  screen.claim('accepted; the rest is the work of a worker', accepted.status === 202);
}

async function payOut({ client, screen }: Stage): Promise<void> {
  screen.step('A payout rests until it is confirmed');
  const created = await client.showPost('/v1/payouts', payout({ key: 'payout:ada:1', to: 'acct_ada' }));
  screen.claim('nothing has happened yet', created.status === 201 && created.body.status === 'initialized');
  const paid = await client.showPost('/v1/payouts/payout:ada:1/confirm?wait=10');
  screen.claim('paid, with the id that the provider gave it', hasSucceeded(paid));
}

async function declinedPayout(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('The provider declines');
  const order = payout({ key: 'payout:ada:2', to: 'acct_decline_ada', confirm: true });
  const declined = await client.showPost('/v1/payouts?wait=10', order);
  screen.claim('failed, with the reason', declined.body.status === 'failed' && failureOf(declined) === 'declined');
  await expectWallet(stage, SELLER, { posted: '60000', held: '0' });
}

async function lostAnswer(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('The provider pays, and its answer is lost');
  const order = payout({ key: 'payout:ada:3', to: 'acct_paid_then_timeout_ada', confirm: true });
  const found = await client.showPost('/v1/payouts?wait=30', order);
  screen.claim('found again at the provider', hasSucceeded(found));
  const rows = (await client.book()).filter(({ key }) => key === found.body.pkid);
  screen.claim(`the provider's own book has ${rows.length} payment for it`, rows.length === 1);
  await showTimeline(stage, 'payout:ada:3');
}

async function moneyThatComesBack(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('A payout succeeds, and the bank sends it back');
  const order = payout({ key: 'payout:ada:4', to: 'account_bounce_ada', provider: 'demobank', confirm: true });
  const paid = await client.showPost('/v1/payouts?wait=10', order);
  screen.claim('succeeded at first', hasSucceeded(paid));
  await until(async () => reversalsOf(await client.get('/v1/payouts/payout:ada:4')).length > 0);
  const returned = await client.showGet('/v1/payouts/payout:ada:4');
  const [reversal] = reversalsOf(returned);
  screen.claim('the status stays; the return is a posting of its own', reversal?.amount === '15000');
  await expectWallet(stage, SELLER, { posted: '45000', held: '0' });
}

async function aPersonDecides(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('What never gets an answer needs a person');
  screen.note('Ten seconds are long for this provider; then it stands in what needs attention.');
  await until(async () => staleKeysOf(await client.get('/v1/attention')).includes(SILENT));
  const attention = await client.showGet('/v1/attention');
  screen.claim('it is listed, and its money is held', staleKeysOf(attention).includes(SILENT));
  await expectWallet(stage, PARTNER, { posted: '25000', held: '15000' });
  screen.note('The bank says on the telephone that it threw the payment away. An operator writes that down:');
  const resolution = { verdict: 'failed', reason: 'The bank discarded it, call of 22 November' };
  const path = `/v1/payouts/${SILENT}/resolve`;
  let resolved = await client.showPost(path, resolution);
  // 409 while a worker is asking the provider at this very moment; the answer says to try again.
  for (let tries = 1; resolved.status === 409 && tries < RESOLVE_TRIES_MAX; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    resolved = await client.showPost(path, resolution);
  }
  screen.claim('failed by a person, under a name and a reason', failureOf(resolved) === 'resolved_by_operator');
  await expectWallet(stage, PARTNER, { posted: '25000', held: '0' });
}

function payout(order: { key: string; to: string; wallet?: string; provider?: string; confirm?: boolean }): object {
  const { key, to, wallet = SELLER, provider = 'stripe', confirm } = order;
  const fields = { semantic_key: key, wallet_id: wallet, amount: '15000', currency: 'USD', provider, destination: to };
  return confirm === undefined ? fields : { ...fields, confirm };
}

function reversalsOf({ body }: Reply): { amount: string }[] {
  return z.array(z.object({ amount: z.string() })).parse(body.reversals);
}

function staleKeysOf({ body }: Reply): string[] {
  return z
    .array(z.object({ semantic_key: z.string() }))
    .parse(body.stale)
    .map(({ semantic_key }) => semantic_key);
}

const timelineBody = z.object({
  data: z.array(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('status_change'), at: z.string(), to: z.string(), cause: z.string().nullable() }),
      z.object({
        type: z.literal('provider_call'),
        at: z.string(),
        step: z.string(),
        outcome: z.string().nullable(),
        reason: z.string().nullable(),
        latency_ms: z.number().nullable(),
        verdict: z.string().nullable(),
      }),
      z.object({
        type: z.literal('provider_event'),
        at: z.string(),
        event: z.string(),
        outcome: z.string().nullable(),
      }),
      z.object({
        type: z.literal('posting'),
        at: z.string(),
        posting: z.object({
          event: z.string(),
          entries: z.array(z.object({ wallet_id: z.string(), amount: z.string() })),
        }),
      }),
    ]),
  ),
});
type TimelineItem = z.infer<typeof timelineBody>['data'][number];

async function showTimeline({ client, screen }: Stage, key: string): Promise<void> {
  const path = `/v1/payouts/${key}/timeline`;
  const { data } = timelineBody.parse((await client.get(path)).body);
  screen.exchange(`curl -H "$AUTH" "$URL${path}"`, `200, ${data.length} things happened, in order:`);
  screen.table([['at', 'what', 'more'], ...data.map((item) => [item.at.slice(11, 23), ...wordsFor(item)])]);
  const [call, effect] = [['provider_call'], ['provider_event', 'posting']].map((types) =>
    data.findIndex(({ type }) => types.includes(type)),
  );
  screen.claim('the call was on record before anything came of it', call !== -1 && Number(call) < Number(effect));
}

function wordsFor(item: TimelineItem): [string, string] {
  switch (item.type) {
    case 'status_change':
      return [`status ${item.to}`, item.cause ?? ''];
    case 'provider_call': {
      const why = item.reason === null ? '' : ` (${item.reason})`;
      return [`call ${item.step}`, `${item.outcome}${why} after ${item.latency_ms} ms, so: ${item.verdict}`];
    }
    case 'provider_event':
      return [`event ${item.event}`, item.outcome ?? 'stored'];
    case 'posting':
      return [
        `posting ${item.posting.event}`,
        item.posting.entries.map(({ wallet_id, amount }) => `${wallet_id} ${amount}`).join(', '),
      ];
  }
}
