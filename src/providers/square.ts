// Pay-ins, refunds and disputes through Square, by the official SDK. Square pays out to nobody but its own seller, so
// there are no payouts, and it tells no balance.

import { z } from 'zod';
import type { CallLimits, DisputeStatus, DisputeView, Provider } from '../domain/provider.ts';
import { boundsOf, createSquareLine, isMissing, PROVIDER, type SquareLine, unexpected } from './square/call.ts';
import { squareMoney } from './square/money.ts';
import { createPayinLookUp, createSquarePayins } from './square/payin.ts';
import { createSquareRefunds } from './square/refund.ts';
import { parseSquareEvent } from './square/webhook.ts';
import { type ProviderLog, providerText } from './surprise.ts';

/** Square publishes none; a day is what others keep, and half of it is used. */
const KEY_RETENTION_MS = 24 * 60 * 60 * 1000;

const DISPUTE_STATES: ReadonlyMap<string, DisputeStatus> = new Map([
  ['EVIDENCE_REQUIRED', 'open'],
  ['PROCESSING', 'open'],
  ['WON', 'won'],
  ['LOST', 'lost'],
  ['ACCEPTED', 'lost'],
]);

/** A question of the bank before any dispute: it takes no money, and people answer it at Square. */
const INQUIRY = /^INQUIRY_/;

const disputeAnswer = z.object({
  dispute: z.object({
    id: z.string().min(1).max(255),
    state: z.string().min(1).max(50),
    amountMoney: squareMoney,
    dueAt: z.iso.datetime({ offset: true }).nullish(),
    disputedPayment: z.object({ paymentId: z.string().min(1).max(192) }),
  }),
});

interface SquareOptions {
  readonly accessToken: string;
  /** Of the webhook subscription, old and new ones while they are rotated. */
  readonly signatureKeys: readonly string[];
  /** The address of the webhook subscription, byte for byte as it stands at Square. */
  readonly notificationUrl: string;
  readonly locationId: string;
  /** Null is Square itself. */
  readonly baseUrl: string | null;
  readonly live: boolean;
  readonly keyRetentionMs?: number;
  readonly log: ProviderLog;
}

export function createSquare(options: SquareOptions): Provider {
  const { accessToken, signatureKeys, notificationUrl, locationId, baseUrl, live, log } = options;
  const keyRetentionMs = options.keyRetentionMs ?? KEY_RETENTION_MS;
  const line = createSquareLine({ accessToken, baseUrl, live, log });
  const { refund, findRefund } = createSquareRefunds({ line, keyRetentionMs, log });
  return {
    name: PROVIDER,
    live,
    payin: createSquarePayins({ line, locationId, keyRetentionMs, log }),
    payout: null,
    refund,
    balance: async () => null,
    refusalOfAccount: () => null,
    findPayee: null,
    findDispute: (externId, limits) => findDispute({ line, log, externId, limits }),
    findPayin: createPayinLookUp({ line, log }),
    findRefund,
    parseWebhook: (raw, headers, receivedAt) =>
      parseSquareEvent({ raw, headers, signatureKeys, notificationUrl, receivedAt }),
  };
}

interface DisputeCall {
  readonly line: SquareLine;
  readonly log: ProviderLog;
  readonly externId: string;
  readonly limits: CallLimits;
}

async function findDispute({ line, log, externId, limits }: DisputeCall): Promise<DisputeView | null> {
  const { value, refusal } = await line.ask(disputeAnswer, (client) =>
    client.disputes.get({ disputeId: externId }, boundsOf(limits)),
  );
  if (refusal !== null) {
    if (isMissing(refusal, externId)) return null;
    throw unexpected(refusal);
  }
  const { id, state, amountMoney, dueAt, disputedPayment } = value.dispute;
  if (INQUIRY.test(state)) {
    log.warn(
      { provider: PROVIDER, extern_id: externId, status: state },
      'Square reports an inquiry. Answer it in its dashboard.',
    );
    return null;
  }
  const status = DISPUTE_STATES.get(state);
  if (status === undefined) {
    log.warn(
      { provider: PROVIDER, extern_id: externId, status: providerText(state) },
      'Unknown dispute state, kept as open.',
    );
  }
  return {
    externId: id,
    payinExternId: disputedPayment.paymentId,
    payinPkid: null,
    money: amountMoney,
    fee: null,
    status: status ?? 'open',
    evidenceDue: typeof dueAt === 'string' ? new Date(dueAt) : null,
  };
}
