// A transfer: money from one person's wallet to another's. It has no outside effect, so one commit takes it from
// initialized through in_process to its final state.

import { type Pkid, type PostingId, postingIdOf, timedPostingIdOf } from './id.ts';
import type { Currency, Money } from './money.ts';
import { type MovementResult, repaymentIdOf } from './movements.ts';
import type { FailureCode, Status } from './state-machine.ts';

export interface Transfer {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  readonly status: Status;
  readonly fromWallet: string;
  readonly toWallet: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly fingerprint: Buffer;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
  readonly failureCode: FailureCode | null;
  readonly failureDetail: string | null;
  readonly dueAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly finalAt: Date | null;
}

/** How it ended. */
type TransferEnd = Pick<Transfer, 'failureCode' | 'failureDetail' | 'dueAt' | 'updatedAt' | 'finalAt'>;

/** What moving it needs to know of it; its end is not known before. */
export type MovingTransfer = Pick<
  Transfer,
  'pkid' | 'semanticKey' | 'status' | 'fromWallet' | 'toWallet' | 'amountMinor' | 'currency' | 'createdAt'
> &
  Partial<TransferEnd>;

export function moneyOfTransfer(transfer: MovingTransfer): Money {
  return { amountMinor: transfer.amountMinor, currency: transfer.currency };
}

/**
 * Every id that a posting of a transfer may have: they are found by these, not by the transfer. Its payer may first
 * repay a debt; then the money moves, under an id that earlier releases made in two other ways.
 */
export function postingIdsOfTransfer({ pkid, createdAt }: Pick<Transfer, 'pkid' | 'createdAt'>): PostingId[] {
  const settle = postingIdOf(pkid, 'settle');
  return [
    repaymentIdOf(pkid, 'before'),
    timedPostingIdOf(pkid, createdAt),
    timedPostingIdOf(settle, createdAt),
    settle,
  ];
}

/** As its row is since it ended. */
export function endedTransfer(
  transfer: Transfer,
  end: Pick<Transfer, 'status' | 'failureCode' | 'failureDetail'> & { readonly finalAt: Date },
): Transfer {
  const { status, failureCode, failureDetail, finalAt } = end;
  return { ...transfer, status, failureCode, failureDetail, dueAt: null, updatedAt: finalAt, finalAt };
}

/** The final patch, from what the ledger said of the movement. */
export function endTransfer(result: MovementResult, now: Date): TransferEnd & { status: 'succeeded' | 'failed' } {
  const final = { dueAt: null, finalAt: now, updatedAt: now };
  if (result.type === 'done') return { ...final, status: 'succeeded', failureCode: null, failureDetail: null };
  if (result.code === 'insufficient_funds') {
    const failureDetail = 'The source wallet had less available than the amount. Fund it and make a new transfer.';
    return { ...final, status: 'failed', failureCode: 'insufficient_funds', failureDetail };
  }
  const failureDetail = `The ledger refused the movement (${result.code}). Nothing was moved.`;
  return { ...final, status: 'failed', failureCode: 'limit_exceeded', failureDetail };
}
