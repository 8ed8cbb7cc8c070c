// Clients that each send the next request as soon as the last one is answered. The clock runs from the first request
// until the last accepted operation is final.

import { AMOUNT_MAX, WALLETS, walletOf } from './books.ts';
import { createDraw, type Draw, drawPair } from './draw.ts';
import type { Stage } from './stage.ts';

/** So many that the processor never waits for them: with 64 it had a quarter of both cores to spare. */
const SINGLE_CLIENTS = 192;
/** Each waits for its provider, 50 ms and more. */
const PAYOUT_CLIENTS = 64;
const BATCH_CLIENTS = 4;
const BATCH_ITEMS = 250;
const ACCEPTED = 202;

interface Flow {
  readonly name: string;
  readonly kind: 'transfer' | 'payout';
  readonly path: string;
  readonly clients: number;
  /** Operations in one request. */
  readonly items: number;
  body(keys: readonly string[], draw: Draw): object;
}

const SINGLE: Flow = {
  name: 'http-single',
  kind: 'transfer',
  path: '/v1/transfers',
  clients: SINGLE_CLIENTS,
  items: 1,
  body: ([key = ''], draw) => transferBody(key, draw, { isHot: false }),
};

const BATCH: Flow = {
  name: 'http-batch',
  kind: 'transfer',
  path: '/v1/transfers/batch',
  clients: BATCH_CLIENTS,
  items: BATCH_ITEMS,
  body: (keys, draw) => ({ transfers: keys.map((key) => transferBody(key, draw, { isHot: false })) }),
};

const PAYOUT: Flow = {
  name: 'payout-http',
  kind: 'payout',
  path: '/v1/payouts',
  clients: PAYOUT_CLIENTS,
  items: 1,
  body: ([key = ''], draw) => ({
    semantic_key: key,
    wallet_id: walletOf(draw(WALLETS)),
    amount: String(1 + draw(AMOUNT_MAX)),
    currency: 'USD',
    provider: 'stripe',
    destination: 'acct_ok_1',
    confirm: true,
  }),
};

export const measureSingle = (stage: Stage) => measureFlow(stage, SINGLE);
export const measureBatch = (stage: Stage) => measureFlow(stage, BATCH);
export const measurePayouts = (stage: Stage) => measureFlow(stage, PAYOUT);

export function transferBody(key: string, draw: Draw, { isHot }: { isHot: boolean }): object {
  const [from, to] = drawPair(draw, { count: WALLETS, isHot });
  return {
    semantic_key: key,
    from_wallet: walletOf(from),
    to_wallet: walletOf(to),
    amount: String(1 + draw(AMOUNT_MAX)),
    currency: 'USD',
  };
}

/** Final operations a second. */
async function measureFlow(stage: Stage, flow: Flow): Promise<number> {
  const wire = await stage.wire(flow.clients);
  const prefix = stage.nextPrefix(flow.name);
  const startedAt = performance.now();
  const until = startedAt + stage.seconds * 1_000;
  let sent = 0;

  async function runClient(seed: number): Promise<void> {
    const draw = createDraw(seed);
    while (performance.now() < until) {
      const keys = Array.from({ length: flow.items }, () => `${prefix}${sent++}`);
      const { status, body } = await wire.send('POST', flow.path, JSON.stringify(flow.body(keys, draw)));
      // An item of a batch that was refused has a problem beside its key.
      if (status !== ACCEPTED || body.includes('"problem"'))
        throw new Error(`${flow.path} answered ${status}: ${body}`);
    }
  }

  try {
    await Promise.all(Array.from({ length: flow.clients }, (_, seed) => runClient(seed)));
    await stage.books.allFinal(flow.kind);
  } finally {
    wire.close();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await stage.books.prove(prefix, { kind: flow.kind, count: sent });
  return sent / seconds;
}
