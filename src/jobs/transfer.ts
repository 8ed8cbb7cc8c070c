// The life of a transfer: request -> one commit that moves the money. Nothing outside is touched, so the claim and
// the settle are the same transaction, and running it twice finds a final row.

import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { KEY_PATTERN, type Pkid, pkidOf, timedPostingIdOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Movement } from '../domain/movements.ts';
import { isFinal } from '../domain/state-machine.ts';
import { endTransfer, type MovingTransfer, moneyOfTransfer, type Transfer } from '../domain/transfer.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Decision, Intake, Step } from '../ledger/step.ts';
import { narrowed } from '../ledger/table.ts';
import type { JobData } from '../runtime/queue.ts';
import type { LifeOptions } from './life.ts';
import type { RunReport } from './run-log.ts';

export interface TransferRequest {
  readonly semanticKey: string;
  readonly fromWallet: string;
  readonly toWallet: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
}

export type TransferLife = ReturnType<typeof createTransferLife>;

export function createTransferLife(options: LifeOptions) {
  const { journal, tables, db, wallets, timing, enqueue, onAccepted, at } = options;
  const rows = createRowLoader(db.sql, tables.transfer);
  const routes = createRowLoader(
    db.sql,
    narrowed<Route & Pick<Transfer, 'status'>>(tables.transfer, ['pkid', 'status', 'fromWallet', 'toWallet']),
  );

  /** Reads whose wallets it wants. Null: there is nothing to move. */
  async function readAndMove(pkid: Pkid): Promise<Moved | null> {
    const route = await routes.load(pkid);
    return route === null || isFinal(route.status) ? null : journal.stepTransfer(moveStep(route));
  }

  async function assertFits(walletId: string, currency: Currency): Promise<void> {
    const wallet = await wallets.find(walletId);
    if (wallet === null) throw noSuchWallet(walletId);
    if (wallet.currency !== currency) throw otherCurrency(wallet);
  }

  return {
    /** Commits the intention, then tells the queue. Throws not-found, invalid-currency, same-wallet. */
    async request(request: TransferRequest): Promise<Intake<Transfer>> {
      if (request.fromWallet === request.toWallet) throw new PaymentError('same-wallet');
      await Promise.all([request.fromWallet, request.toWallet].map((id) => assertFits(id, request.currency)));
      const pkid = pkidOf('transfer', request.semanticKey);
      if (at) await at('transfer: before row commit', pkid);
      const intake = await journal.insertTransfer(pkid, (now) => newTransfer(pkid, request, now, timing.leaseMs));
      if (at) await at('transfer: after row commit', pkid);
      if (intake.type !== 'created') return intake;
      onAccepted('transfer');
      const { semanticKey, fromWallet, toWallet } = intake.row;
      // Mostly its job comes soon, and then its wallets need not be read again.
      await enqueue({ kind: 'transfer', pkid, semanticKey, told: { from_wallet: fromWallet, to_wallet: toWallet } });
      return intake;
    },

    /** Moves the money, or does nothing when that is done. Safe to run any number of times, whatever its job tells. */
    async run(pkid: Pkid, told: JobData = {}): Promise<RunReport | null> {
      if (at) await at('transfer: before settle commit', pkid);
      const route = routeIn(pkid, told);
      const moving = route === null ? null : journal.stepTransfer(moveStep(route)).catch(nullIfMissing);
      const moved = (await moving) ?? (await readAndMove(pkid));
      if (at) await at('transfer: after settle commit', pkid);
      return moved === null ? null : moved.report;
    },

    find: (pkid: Pkid): Promise<Transfer | null> => rows.load(pkid),
  };
}

export function noSuchWallet(walletId: string): PaymentError {
  return new PaymentError('not-found', {
    detail: `There is no wallet "${walletId}". Create it with POST /v1/wallets, or check the id.`,
  });
}

export function otherCurrency(wallet: { walletId: string; currency: Currency }): PaymentError {
  return new PaymentError('invalid-currency', {
    detail: `The wallet "${wallet.walletId}" is in ${wallet.currency}. Send that currency, or name another wallet.`,
  });
}

/** What is known before the lock: whose wallets it will want. */
type Route = Pick<Transfer, 'pkid' | 'fromWallet' | 'toWallet'>;

/** A queue may hold anything: what no caller could have named is no hint. */
function routeIn(pkid: Pkid, { from_wallet: fromWallet = '', to_wallet: toWallet = '' }: JobData): Route | null {
  return KEY_PATTERN.test(fromWallet) && KEY_PATTERN.test(toWallet) ? { pkid, fromWallet, toWallet } : null;
}

/** Of a queue that is older or newer than the database the wallets may be missing, and the row too. */
function nullIfMissing(error: unknown): null {
  if (error instanceof PaymentError && error.code === 'not-found') return null;
  throw error;
}

interface Moved {
  /** Null: it was final before. */
  readonly report: RunReport | null;
}

/** Null: the row names other wallets than those that were locked for it. */
function moveStep({ pkid, fromWallet, toWallet }: Route): Step<MovingTransfer, Moved | null> {
  return {
    pkid,
    walletIds: [fromWallet, toWallet],
    decide(row, now) {
      if (isFinal(row.status)) return nothing({ report: null });
      if (row.fromWallet !== fromWallet || row.toWallet !== toWallet) return nothing(null);
      return {
        movements: [movementOf(row)],
        conclude([result]) {
          if (result === undefined) throw new PaymentError('internal', { detail: 'The ledger gave no result.' });
          const patch = endTransfer(result, now);
          const { status } = patch;
          const { semanticKey } = row;
          const events = [{ type: `transfer.${status}`, kind: 'transfer', pkid, semanticKey } as const];
          const next = { ...row, ...patch };
          return { next, path: ['in_process', status], cause: null, events, result: { report: reportOf(row, patch) } };
        },
      };
    },
  };
}

function nothing(result: Moved | null): Decision<MovingTransfer, Moved | null> {
  return { movements: [], conclude: () => ({ next: null, path: [], cause: null, result }) };
}

function reportOf(row: MovingTransfer, patch: ReturnType<typeof endTransfer>): RunReport {
  const reason = patch.failureCode ?? null;
  return { semanticKey: row.semanticKey, attempt: 1, from: row.status, to: patch.status, reason, level: 'info' };
}

function movementOf(transfer: MovingTransfer): Movement {
  const { pkid, semanticKey, fromWallet, toWallet, createdAt } = transfer;
  return {
    type: 'transfer',
    posting: {
      postingId: timedPostingIdOf(pkid, createdAt),
      event: 'transfer',
      kind: 'transfer',
      pkid,
      semanticKey,
      reverses: null,
    },
    from: fromWallet,
    to: toWallet,
    money: moneyOfTransfer(transfer),
  };
}

function newTransfer(pkid: Pkid, request: TransferRequest, now: Date, leaseMs: number): Transfer {
  const { traceparent, ...fields } = request;
  const { semanticKey: _, ...asked } = fields;
  return {
    ...fields,
    pkid,
    status: 'initialized',
    fingerprint: fingerprintOf(asked),
    traceparent,
    failureCode: null,
    failureDetail: null,
    // It is on its way through the queue; should the queue lose it, reconcile runs it then.
    dueAt: new Date(now.getTime() + leaseMs),
    createdAt: now,
    updatedAt: now,
    finalAt: null,
  };
}
