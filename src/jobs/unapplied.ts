// What a person does with money that fits nothing: it goes to a wallet, or back to its payer.

import { sql } from 'kysely';
import { isPlatformWalletId, unappliedWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { derivedPkid, pkidOf, postingIdOf } from '../domain/id.ts';
import { externalKey, unappliedKey } from '../domain/own-key.ts';
import type { Payin } from '../domain/payin.ts';
import type { ProviderName, RefundView } from '../domain/provider.ts';
import type { Refund } from '../domain/refund.ts';
import { type Unapplied, unappliedMinor } from '../entities/unapplied.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Conclusion, Decision, Step } from '../ledger/step.ts';
import { parseRow } from '../ledger/table.ts';
import { closeDiscrepanciesOf } from './discrepancy.ts';
import type { LifeOptions } from './life.ts';
import { refuseRefusals } from './payment/steps.ts';
import { providerOf } from './provider-of.ts';
import { DECIDED_BY, newRefund } from './refund-request.ts';
import { noSuchWallet, otherCurrency } from './transfer.ts';

export interface UnappliedResolution {
  /** The wallet that gets the money, or null to send it back to its payer. */
  readonly applyTo: string | null;
  readonly reason: string;
  readonly actor: string;
}

interface SendingBack {
  readonly semanticKey: string;
  /** Of a refund that was made there: the provider's id of it, and how much it is, which may be a part. */
  readonly made: { readonly externId: string; readonly amountMinor: bigint } | null;
  readonly reason: string;
  readonly actor: string;
}

export type UnappliedLife = ReturnType<typeof createUnappliedLife>;

export function createUnappliedLife(options: LifeOptions) {
  const { db, tables, journal, wallets, providers, enqueue, timing } = options;
  const payins = createRowLoader(db.sql, tables.payin);
  const refunds = createRowLoader(db.sql, tables.refund);

  async function find(unappliedId: string): Promise<Unapplied> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM unapplied WHERE unapplied_id = ${unappliedId}::uuid`.execute(db.sql);
    const [raw] = rows;
    if (raw !== undefined) return parseRow(tables.unapplied, raw);
    throw new PaymentError('not-found', {
      detail: 'There is no such unapplied money. List it with GET /v1/unapplied.',
    });
  }

  /** Under the lock of the operation that it came with. */
  async function decideOn(seen: Unapplied, walletIds: string[], decide: Decide): Promise<Unapplied> {
    const { pkid, unappliedId, operationKind } = seen;
    const step = <Row>(): Step<Row, Unapplied> => ({
      pkid,
      walletIds,
      reads: { unapplied: unappliedId },
      decide: (_row, now, beside): Decision<Row, Unapplied> => decide(beside.unapplied ?? seen, now),
    });
    return operationKind === 'refund' ? journal.stepRefund(step<Refund>()) : journal.stepPayin(step<Payin>());
  }

  async function applyToWallet(seen: Unapplied, walletId: string, { reason, actor }: UnappliedResolution) {
    const wallet = await wallets.find(walletId);
    if (wallet === null || isPlatformWalletId(walletId)) throw noSuchWallet(walletId);
    if (wallet.currency !== seen.currency) throw otherCurrency(wallet);
    const from = unappliedWalletId(seen.currency);
    return decideOn(seen, [from, walletId], (row, now) => {
      if (row.appliedTo === walletId && row.resolvedReason === reason && row.resolvedBy === actor) return asItIs(row);
      refuseResolved(row);
      const next = { ...row, resolvedAt: now, resolvedBy: actor, resolvedReason: reason, appliedTo: walletId };
      const posting = {
        postingId: postingIdOf(row.unappliedId, 'apply'),
        event: 'unapplied.resolved',
        kind: row.operationKind,
        pkid: row.pkid,
        semanticKey: row.semanticKey,
        reverses: null,
      };
      const money = { amountMinor: unappliedMinor(row), currency: row.currency };
      return {
        movements: [{ type: 'transfer', posting, from, to: walletId, money }],
        conclude(results) {
          refuseRefusals(results);
          return untouchedRow({ unapplied: [next], result: next });
        },
      };
    });
  }

  async function sendBack(seen: Unapplied, how: SendingBack): Promise<Unapplied> {
    const { semanticKey, made, reason } = how;
    const pkid = pkidOf('refund', semanticKey);
    const payin = await payinOf(seen);
    const resolved = await decideOn(seen, [], (row, now) => {
      if (row.refundPkid !== null && row.resolvedReason === reason) return asItIs(row);
      refuseResolved(row);
      const amountMinor = made?.amountMinor ?? unappliedMinor(row);
      const isPart = amountMinor < unappliedMinor(row);
      const leaving = { ...(isPart ? partOf(row, semanticKey, amountMinor) : row), refundPkid: pkid };
      const next = { ...leaving, resolvedReason: reason };
      const rest = isPart ? [{ ...row, splitOffMinor: row.splitOffMinor + amountMinor }] : [];
      const refund = refundOf(next, { payin, how, leaseMs: timing.leaseMs }, now);
      return {
        movements: [],
        conclude: () =>
          untouchedRow({
            unapplied: [...rest, next],
            newRefunds: [{ row: refund, path: ['initialized'] }],
            result: next,
          }),
      };
    });
    if (resolved.refundPkid === pkid) await enqueue({ kind: 'refund', pkid, semanticKey });
    return resolved;
  }

  /** One that failed stays failed: the next try is a refund of its own. */
  async function keyOfNextRefund({ unappliedId }: Unapplied): Promise<string> {
    const { rows } = await sql<{ failed: string }>`
      SELECT count(*) AS failed FROM refund
      WHERE unapplied_id = ${unappliedId}::uuid AND status = 'failed'`.execute(db.sql);
    return unappliedKey(unappliedId, Number(rows[0]?.failed) + 1);
  }

  function refuseUnable(row: Unapplied): void {
    const { provider, currency } = row;
    const { refund } = providerOf(providers, provider);
    const money = { amountMinor: unappliedMinor(row), currency };
    const refusal = refund === null ? 'It gives no refunds.' : refund.refusalOf(money);
    if (refusal === null) return;
    const detail = `${provider}: ${refusal} Send it back there by hand, or apply it to a wallet with apply_to.`;
    throw new PaymentError('provider-not-able', { detail });
  }

  /** With the provider's id of the payment that the money came by; of a refund that came back, of what it was of. */
  async function payinOf({ pkid, operationKind, externPaymentId }: Unapplied): Promise<Payin> {
    const returned = operationKind === 'refund' ? await refunds.load(pkid) : null;
    const payin = await payins.load(returned?.payinPkid ?? pkid);
    if (payin !== null) return { ...payin, externPaymentId: returned?.payinExternId ?? externPaymentId };
    throw new PaymentError('internal', { detail: 'The pay-in of unapplied money is gone. Run the audit.' });
  }

  return {
    find,

    /** A refund that somebody made at the provider may be of such money, or of a part. False when it is of none. */
    async adopt(provider: ProviderName, { externId, payinExternId, money }: RefundView): Promise<boolean> {
      const { rows } = await sql<Record<string, unknown>>`
        SELECT * FROM unapplied
        WHERE provider = ${provider} AND extern_payment_id = ${payinExternId} AND operation_kind = 'payin'
          AND amount - split_off >= ${money.amountMinor.toString()}::bigint AND currency = ${money.currency}
          AND resolved_at IS NULL AND refund_pkid IS NULL
        ORDER BY amount - split_off LIMIT 1`.execute(db.sql);
      const [raw] = rows;
      if (raw === undefined) return false;
      await sendBack(parseRow(tables.unapplied, raw), {
        semanticKey: externalKey(provider, externId),
        made: { externId, amountMinor: money.amountMinor },
        reason: 'Made at the provider.',
        actor: provider,
      });
      return true;
    },

    /** Where the money belongs. Throws not-found, invalid-currency, and invalid-state when that is decided. */
    async resolve(unappliedId: string, resolution: UnappliedResolution): Promise<Unapplied> {
      const seen = await find(unappliedId);
      const { applyTo } = resolution;
      if (applyTo === null) refuseUnable(seen);
      const resolved = await (applyTo === null
        ? sendBack(seen, { semanticKey: await keyOfNextRefund(seen), made: null, ...resolution })
        : applyToWallet(seen, applyTo, resolution));
      // Beside its own, a pay-in may have other payments that are told of; a refund has one that came back.
      const about = seen.operationKind === 'payin' ? { externId: seen.externPaymentId } : {};
      await closeDiscrepanciesOf(db, { pkid: seen.pkid, ...resolution, ...about });
      return resolved;
    },
  };
}

/** What of it goes back is a row of its own, which is resolved when it has arrived. */
function partOf(row: Unapplied, name: string, amountMinor: bigint): Unapplied {
  return { ...row, unappliedId: derivedPkid(row.unappliedId, name), amountMinor, splitOffMinor: 0n };
}

/** It is resolved when the refund succeeds, which then names who decided it. */
function refundOf(
  row: Unapplied,
  { payin, how, leaseMs }: { payin: Payin; how: SendingBack; leaseMs: number },
  now: Date,
): Refund {
  const { semanticKey, made, reason, actor } = how;
  const amountMinor = unappliedMinor(row);
  const request = { semanticKey, orderId: '', amountMinor, destination: 'payer', reason } as const;
  return newRefund(
    {
      pkid: pkidOf('refund', semanticKey),
      request: { ...request, metadata: { [DECIDED_BY]: actor }, traceparent: null },
      payin: { ...payin, currency: row.currency },
      fingerprint: fingerprintOf({ unappliedId: row.unappliedId }),
      origin: made === null ? 'api' : 'external',
      externId: made?.externId ?? null,
      walletId: null,
      order: null,
      beforeDelivery: false,
      unappliedId: row.unappliedId,
      leaseMs,
    },
    now,
  );
}

type Decide = <Row>(row: Unapplied, now: Date) => Decision<Row, Unapplied>;

function untouchedRow<Row, Result>(
  rest: Omit<Conclusion<Row, Result>, 'next' | 'path' | 'cause'>,
): Conclusion<Row, Result> {
  return { next: null, path: [], cause: null, ...rest };
}

/** A repeat of the same decision, whose answer may have been lost. */
function asItIs<Row>(row: Unapplied): Decision<Row, Unapplied> {
  return { movements: [], conclude: () => untouchedRow({ result: row }) };
}

function refuseResolved({ resolvedAt, refundPkid, appliedTo }: Unapplied): void {
  if (resolvedAt === null && refundPkid === null) return;
  const where = appliedTo === null ? 'on its way back to its payer' : `in the wallet "${appliedTo}"`;
  throw new PaymentError('invalid-state', { detail: `This money is ${where}. There is nothing left to decide.` });
}
