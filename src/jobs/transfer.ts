// The life of a transfer: request -> one commit that moves the money. Nothing outside is touched, so the claim and
// the settle are the same transaction, and running it twice finds a final row.

import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { type Pkid, pkidOf, timedPostingIdOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Movement } from '../domain/movements.ts';
import { isFinal } from '../domain/state-machine.ts';
import { endTransfer, type MovingTransfer, moneyOfTransfer, type Transfer } from '../domain/transfer.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Intake, Step } from '../ledger/step.ts';
import { narrowed } from '../ledger/table.ts';
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

/** Some megabytes at most; what is forgotten is read. */
const ROUTES_MAX = 10_000;

export type TransferLife = ReturnType<typeof createTransferLife>;

export function createTransferLife(options: LifeOptions) {
  const { journal, tables, db, wallets, timing, enqueue, onAccepted, at } = options;
  const rows = createRowLoader(db.sql, tables.transfer);
  const routes = createRowLoader(
    db.sql,
    narrowed<Route>(tables.transfer, ['pkid', 'status', 'fromWallet', 'toWallet']),
  );

  const known = new Map<Pkid, Route>();

  /** Its job comes soon, and mostly to this process: then its wallets need not be read again. */
  function remember({ pkid, status, fromWallet, toWallet }: Transfer): void {
    if (known.size >= ROUTES_MAX) known.clear();
    known.set(pkid, { pkid, status, fromWallet, toWallet });
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
      remember(intake.row);
      onAccepted('transfer');
      await enqueue({ kind: 'transfer', pkid, semanticKey: request.semanticKey });
      return intake;
    },

    /** Moves the money, or does nothing when that is done. Safe to run any number of times. */
    async run(pkid: Pkid): Promise<RunReport | null> {
      const route = known.get(pkid) ?? (await routes.load(pkid));
      known.delete(pkid);
      if (route === null || isFinal(route.status)) return null;
      if (at) await at('transfer: before settle commit', pkid);
      const report = await journal.stepTransfer(moveStep(route));
      if (at) await at('transfer: after settle commit', pkid);
      return report;
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
type Route = Pick<Transfer, 'pkid' | 'status' | 'fromWallet' | 'toWallet'>;

function moveStep({ pkid, fromWallet, toWallet }: Route): Step<MovingTransfer, RunReport | null> {
  return {
    pkid,
    walletIds: [fromWallet, toWallet],
    decide(row, now) {
      if (isFinal(row.status)) {
        return { movements: [], conclude: () => ({ next: null, path: [], cause: null, result: null }) };
      }
      return {
        movements: [movementOf(row)],
        conclude([result]) {
          if (result === undefined) throw new PaymentError('internal', { detail: 'The ledger gave no result.' });
          const patch = endTransfer(result, now);
          const { status } = patch;
          const { semanticKey } = row;
          const events = [{ type: `transfer.${status}`, kind: 'transfer', pkid, semanticKey } as const];
          const next = { ...row, ...patch };
          return { next, path: ['in_process', status], cause: null, events, result: reportOf(row, patch) };
        },
      };
    },
  };
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
      postingId: timedPostingIdOf(pkid, 'settle', createdAt),
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
