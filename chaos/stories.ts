// What the client does, as stories of a few requests each. A story follows from the seed and its number alone, and
// every request in it has its own key, so a client that was killed tells its unfinished stories again from the start.

import { type Asker, type Reply, type Request, textOf } from './asking.ts';
import { type Chance, chanceOf } from './chance.ts';
import type { ClientLine } from './client-log.ts';
import type { Journal } from './journal.ts';
import { BUYERS, CURRENCY, HOT, PLAIN, POOR, POOR_AMOUNT } from './market.ts';
import { payoutOf } from './payouts.ts';
import { tellSale } from './sales.ts';
import type { Teller } from './teller.ts';

const COPIES = 100;
const LOOK_S = 2;
const FINAL = ['succeeded', 'failed'];

/** The shares add up to 100. */
const SHARES: readonly (readonly [number, (teller: Teller) => Promise<void>])[] = [
  [24, (teller) => tellTransfer(teller, transferOf(teller, plainOf(teller, 'from')))],
  [14, (teller) => tellTransfer(teller, transferOf(teller, HOT))],
  [4, (teller) => tellTransfer(teller, transferOf(teller, POOR, POOR_AMOUNT))],
  [25, tellPayout],
  [5, tellHeldPayout],
  [22, tellSale],
  [2, tellCopies],
  [4, tellClash],
];

export function tellStory(
  number: number,
  { seed, asker, journal }: { seed: number; asker: Asker; journal: Journal<ClientLine> },
): Promise<void> {
  const all = chanceOf(seed);
  const chance: Chance = {
    fraction: (name) => all.fraction(`${number}/${name}`),
    whole: (name, min, max) => all.whole(`${number}/${name}`, min, max),
    one: (name, items) => all.one(`${number}/${name}`, items),
    shuffled: (name, items) => all.shuffled(`${number}/${name}`, items),
  };
  const untilFinal = (collection: string, key: string) => lookUntilFinal({ asker, journal, collection, key });
  let drawn = chance.whole('story', 0, 99);
  const [, tell = tellPayout] = SHARES.find(([share]) => {
    drawn -= share;
    return drawn < 0;
  }) ?? [0, tellPayout];
  return tell({ asker, journal, chance, number, untilFinal });
}

async function lookUntilFinal(at: { asker: Asker; journal: Journal<ClientLine>; collection: string; key: string }) {
  const { asker, journal, collection, key } = at;
  let last = '';
  for (;;) {
    const path = `/v1/${collection}/${key}?wait=${LOOK_S}`;
    const { body } = await asker.insist({ key, path, body: {}, method: 'GET' });
    const status = textOf(body.status) ?? '';
    if (status !== last) journal.note({ what: 'shown', key, status, at: Date.now() });
    last = status;
    if (FINAL.includes(status) || (body.review !== null && body.review !== undefined)) return status;
  }
}

function plainOf({ chance }: Teller, name: string): string {
  return PLAIN[chance.whole(name, 0, PLAIN.length - 1)] ?? '';
}

function transferOf(teller: Teller, from: string, amount = BigInt(teller.chance.whole('amount', 1, 9_000))): Request {
  const others = [...PLAIN, HOT, ...BUYERS].filter((one) => one !== from);
  const to = others[teller.chance.whole('to', 0, others.length - 1)] ?? '';
  const key = `t-${teller.number}`;
  const body = { semantic_key: key, from_wallet: from, to_wallet: to, amount: String(amount), currency: CURRENCY };
  return { key, kind: 'transfer', path: '/v1/transfers', body };
}

async function tellTransfer({ asker, untilFinal }: Teller, request: Request): Promise<void> {
  const { status } = await asker.ask(request);
  if (status < 300) await untilFinal('transfers', request.key);
}

async function tellPayout(teller: Teller): Promise<void> {
  const request = payoutOf(teller, plainOf(teller, 'wallet'), { confirm: true });
  const { status } = await teller.asker.ask(request);
  if (status < 300) await teller.untilFinal('payouts', request.key);
}

/** Shown on a page first; then the user confirms, or cancels, or both at once. */
async function tellHeldPayout(teller: Teller): Promise<void> {
  const { asker, chance, untilFinal } = teller;
  const request = payoutOf(teller, plainOf(teller, 'wallet'), { confirm: false });
  const { key } = request;
  if ((await asker.ask(request)).status >= 300) return;
  const step = (name: string) =>
    asker.ask({ key: `${name}-${key}`, kind: 'step', path: `/v1/payouts/${key}/${name}`, body: {} });
  const wish = chance.one('wish', ['confirm', 'cancel', 'both'] as const);
  await Promise.all((wish === 'both' ? ['confirm', 'cancel'] : [wish]).map(step));
  await untilFinal('payouts', key);
}

/** A user who clicks a hundred times, or a platform whose retries run wild. */
async function tellCopies(teller: Teller): Promise<void> {
  const { asker, journal, untilFinal } = teller;
  const request = transferOf(teller, plainOf(teller, 'from'));
  const { key, path, body } = request;
  const isFirst = await asker.writeDown(request);
  const copies = Array.from({ length: COPIES }, () => asker.once({ key, path, body, method: 'POST' }));
  const replies: (Reply | null)[] = await Promise.all(copies);
  const pkids = new Set(replies.flatMap((reply) => textOf(reply?.body.pkid) ?? []));
  const statuses = replies.map((reply) => reply?.status ?? null);
  journal.note({ what: 'copies', key, isFirst, statuses, pkids: [...pkids] });
  if ((await asker.ask(request)).status < 300) await untilFinal('transfers', key);
}

/** The same key with another amount must be refused, and change nothing. */
async function tellClash(teller: Teller): Promise<void> {
  const { asker, journal, untilFinal } = teller;
  const request = transferOf(teller, plainOf(teller, 'from'));
  const { key, path, body } = request;
  if ((await asker.ask(request)).status >= 300) return;
  const other = { ...body, amount: `${body.amount}7` };
  const { status, body: said } = await asker.insist({ key, path, body: other, method: 'POST' });
  journal.note({ what: 'clash', key, status, code: textOf(said.code) });
  await untilFinal('transfers', key);
}
