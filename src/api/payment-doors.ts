// What the routes of payouts, pay-ins and refunds differ in: their life, their shape, and when a wait is over.

import type { z } from '@hono/zod-openapi';
import { PaymentError } from '../domain/errors.ts';
import { pkidOf } from '../domain/id.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payment } from '../domain/payment.ts';
import type { Payout } from '../domain/payout.ts';
import type { PaymentKind } from '../domain/provider.ts';
import type { Refund } from '../domain/refund.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { PaymentLife } from '../jobs/payment.ts';
import type { Sql } from '../runtime/db.ts';
import type { Api } from './context.ts';
import { payinView, presentPayins } from './views/payin.ts';
import { payoutView, presentPayouts } from './views/payout.ts';
import { presentRefunds, refundView } from './views/refund.ts';

export interface PaymentDoor<Row extends Payment, Answer extends z.ZodType> {
  readonly kind: PaymentKind;
  /** As addresses write it. */
  readonly plural: 'payouts' | 'payins' | 'refunds';
  /** As people write it. */
  readonly noun: string;
  readonly tag: string;
  readonly answer: Answer;
  lifeOf(api: Api): Pick<PaymentLife<Row>, 'find' | 'confirm' | 'cancel' | 'query' | 'resolve'>;
  present(rows: readonly Row[], client: Sql): Promise<z.input<Answer>[]>;
  /** Nothing will change until somebody outside acts. */
  isAnswered(row: Row): boolean;
}

export const payoutDoor: PaymentDoor<Payout, typeof payoutView> = {
  kind: 'payout',
  plural: 'payouts',
  noun: 'payout',
  tag: 'Payouts',
  answer: payoutView,
  lifeOf: (api) => api.payouts,
  present: presentPayouts,
  isAnswered: ({ status }) => isFinal(status),
};

export const payinDoor: PaymentDoor<Payin, typeof payinView> = {
  kind: 'payin',
  plural: 'payins',
  noun: 'pay-in',
  tag: 'Pay-ins',
  answer: payinView,
  lifeOf: (api) => api.payins,
  present: presentPayins,
  isAnswered: ({ status, nextAction }) => isFinal(status) || nextAction !== null,
};

export const refundDoor: PaymentDoor<Refund, typeof refundView> = {
  kind: 'refund',
  plural: 'refunds',
  noun: 'refund',
  tag: 'Refunds',
  answer: refundView,
  lifeOf: (api) => api.refunds,
  present: presentRefunds,
  isAnswered: ({ status }) => isFinal(status),
};

export async function findPayment<Row extends Payment, Answer extends z.ZodType>(
  door: PaymentDoor<Row, Answer>,
  key: string,
  api: Api,
): Promise<Row> {
  const row = await door.lifeOf(api).find(pkidOf(door.kind, key));
  if (row !== null) return row;
  throw new PaymentError('not-found', { detail: `There is no such ${door.noun}. Check the key.` });
}

/** The payment when it is answered or the wait is over. */
export async function viewAfter<Row extends Payment, Answer extends z.ZodType>(
  door: PaymentDoor<Row, Answer>,
  { row, waitMs }: { row: Row; waitMs: number | undefined },
  api: Api,
): Promise<z.input<Answer>> {
  if (waitMs !== undefined && !door.isAnswered(row)) {
    await api.waiter.wait({ kind: door.kind, pkid: row.pkid }, waitMs);
    return viewOf(door, await findPayment(door, row.semanticKey, api), api);
  }
  return viewOf(door, row, api);
}

export async function viewOf<Row extends Payment, Answer extends z.ZodType>(
  door: PaymentDoor<Row, Answer>,
  row: Row,
  api: Api,
): Promise<z.input<Answer>> {
  const [view] = await door.present([row], api.db.sql);
  if (view === undefined) throw new TypeError('One payment in, one out.');
  return view;
}

export function locationOf(door: { readonly plural: string }, { semanticKey }: { semanticKey: string }): string {
  return `/v1/${door.plural}/${semanticKey}`;
}
