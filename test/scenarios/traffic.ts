// A mix of payouts and transfers that is sent by a careful client while things go wrong.

import { until } from '../harness/process.ts';
import type { Story } from './story.ts';

/** Providers that answer, refuse, stumble before and after the money moved, and are slow. */
const DESTINATIONS = [
  'acct_ok',
  'acct_decline',
  'acct_paid_then_500',
  'acct_timeout_before',
  'acct_paid_then_reset',
  'acct_error_before',
  'acct_insufficient',
  'acct_slow',
  'acct_html',
  'acct_paid_then_timeout',
  'acct_hidden',
  'acct_rate_limit',
  'acct_pending',
  'acct_pending_then_fail',
  'acct_error_stored',
  'acct_bounce',
];
const PROVIDERS = ['stripe', 'demobank'];
const WALLETS = 10;
/** Requests that are open at once, as from a platform with a few servers. */
const OPEN_MAX = 24;

export async function openWallets(story: Story): Promise<void> {
  await Promise.all(Array.from({ length: WALLETS }, (_, index) => story.wallet(`w-${index}`, '10000000')));
}

export interface Traffic {
  /** How many requests were answered so far. */
  answered(): number;
  /** Every request that was answered, with the identity it was given. */
  readonly done: Promise<readonly { readonly key: string; readonly pkid: string }[]>;
}

/** Sends `count` payouts and as many transfers, in turn, each until it is answered. */
export function send(story: Story, { count, prefix }: { count: number; prefix: string }): Traffic {
  const requests = Array.from({ length: 2 * count }, (_, index) =>
    index % 2 === 0 ? payoutRequest(prefix, index / 2) : transferRequest(prefix, (index - 1) / 2),
  );
  const accepted: { key: string; pkid: string }[] = [];
  let next = 0;
  const client = async () => {
    for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
      const { status, json } = await story.insist(request.path, request.body);
      if (status >= 300) throw new Error(`${request.path} ${request.body.semantic_key}: ${JSON.stringify(json)}`);
      accepted.push({ key: request.body.semantic_key, pkid: String(json.pkid) });
    }
  };
  const done = Promise.all(Array.from({ length: OPEN_MAX }, client)).then(() => accepted);
  // Whoever awaits it sees the failure; until then it must not end the run.
  done.catch(() => {});
  return { answered: () => accepted.length, done };
}

export function answeredAtLeast(traffic: Traffic, count: number): Promise<unknown> {
  return until(`${count} requests are answered`, () => traffic.answered() >= count, ANSWERED_WITHIN_MS);
}

const ANSWERED_WITHIN_MS = 60_000;

function payoutRequest(prefix: string, index: number) {
  const destination = `${DESTINATIONS[index % DESTINATIONS.length]}_${index}`;
  const provider = PROVIDERS[Math.floor(index / DESTINATIONS.length) % PROVIDERS.length];
  const body = {
    semantic_key: `${prefix}-${index}`,
    wallet_id: `w-${index % WALLETS}`,
    amount: String(1000 + index),
    currency: 'USD',
    provider,
    destination,
    confirm: true,
  };
  return { path: '/v1/payouts', body };
}

function transferRequest(prefix: string, index: number) {
  const body = {
    semantic_key: `${prefix}-${index}`,
    from_wallet: `w-${index % WALLETS}`,
    to_wallet: `w-${(index * 7 + 3) % WALLETS === index % WALLETS ? (index + 1) % WALLETS : (index * 7 + 3) % WALLETS}`,
    amount: String(1 + index),
    currency: 'USD',
  };
  return { path: '/v1/transfers', body };
}
