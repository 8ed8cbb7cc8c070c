// A payout: request -> claim with a hold on the wallet -> the provider pays -> the hold is captured, or released.
// What it shares with pay-ins and refunds is in jobs/payment.ts.

import { providerWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { pkidOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import { approvalOf, moneyOf } from '../domain/payment.ts';
import type { Payout } from '../domain/payout.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';
import { PayeeEntity } from '../entities/payee.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Intake } from '../ledger/step.ts';
import type { LifeOptions } from './life.ts';
import { obstacleOfPayee } from './payee.ts';
import { untouched } from './payment/records.ts';
import { eventOf, headOf, NO_EFFECTS, type PaymentRules } from './payment/rules.ts';
import { createPaymentLife } from './payment.ts';
import { choiceFor, providerOf } from './provider-of.ts';
import { noSuchWallet, otherCurrency } from './transfer.ts';

export interface PayoutRequest {
  readonly semanticKey: string;
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly provider: ProviderName;
  readonly payeeId: string | null;
  readonly destination: string | null;
  readonly expiresAt: Date | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
  /** True confirms in the same commit. */
  readonly confirm: boolean;
}

export type PayoutLife = ReturnType<typeof createPayoutLife>;

export function createPayoutLife(options: LifeOptions) {
  const { journal, timing, enqueue, onAccepted, at } = options;
  const life = createPaymentLife(payoutRules(options), options);
  return {
    ...life,

    /** Commits the intention; with `confirm` it is also on its way. Throws not-found, invalid-currency and others. */
    async request(request: PayoutRequest): Promise<Intake<Payout>> {
      const beneficiary = await approvedBeneficiary(request, options);
      const pkid = pkidOf('payout', request.semanticKey);
      if (at) await at('payout: before row commit', pkid);
      const intake = await journal.insertPayout(pkid, (now) => {
        const { confirm, expiresAt, ...fields } = request;
        const approval = approvalOf({ money: request, provider: request.provider, beneficiary });
        const rest = untouched({ isConfirmed: confirm, expiresAt, leaseMs: timing.leaseMs }, now);
        return { ...fields, pkid, beneficiary, approval, fingerprint: fingerprintOf(askedFor(request)), ...rest };
      });
      if (at) await at('payout: after row commit', pkid);
      if (intake.type === 'created') onAccepted('payout');
      if (!request.confirm || intake.type === 'key_reused') return intake;
      if (intake.type === 'replayed') return { ...intake, row: await life.confirmReplay(intake.row) };
      await enqueue({ kind: 'payout', pkid, semanticKey: request.semanticKey });
      return intake;
    },
  };
}

export function payoutRules(options: LifeOptions): PaymentRules<Payout> {
  const { db, tables, journal } = options;
  const platformWallet = (row: Payout) => providerWalletId(row.provider, row.currency);
  return {
    kind: 'payout',
    direction: 'out',
    rows: createRowLoader(db.sql, tables.payout),
    step: journal.stepPayout,
    accountOf: (provider) => provider.payout,
    movesAtSend: () => false,
    async send(provider, row, { key, limits }) {
      if (provider.payout === null) throw new PaymentError('internal', { detail: `${provider.name} cannot pay out.` });
      const { pkid, semanticKey, beneficiary } = row;
      return provider.payout.send({ pkid, semanticKey, key, money: moneyOf(row), beneficiary }, limits);
    },
    findExternal: () => null,
    payinExternIdOf: () => null,
    async obstacleTo(row) {
      await options.funds.warm(providerOf(options.providers, row.provider), row.currency);
      const detail = await obstacleOfPayee(row, options);
      return detail === null ? null : { code: 'payee_not_payable', detail };
    },
    companionsOf: async (row) => ({
      walletIds: [row.walletId, platformWallet(row)],
      orderPkids: [],
      unappliedId: null,
      loadedId: null,
      debtId: null,
    }),
    claimMovements: (row) => [
      {
        type: 'hold',
        holdId: row.pkid,
        walletId: row.walletId,
        money: moneyOf(row),
        subject: { kind: 'payout', pkid: row.pkid, semanticKey: row.semanticKey },
      },
    ],
    learn: (row) => row,
    news: () => [],
    succeed: ({ row }) => ({
      movements: [
        {
          type: 'capture',
          posting: headOf('payout', row, { step: 'settle', event: 'payout.succeeded' }),
          holdId: row.pkid,
          to: platformWallet(row),
        },
      ],
      events: [eventOf('payout', 'payout.succeeded', row)],
    }),
    fail: ({ row, wasClaimed }) => ({
      movements: wasClaimed ? [{ type: 'release', holdId: row.pkid }] : [],
      events: [eventOf('payout', 'payout.failed', row)],
    }),
    takeBack: ({ row }, { amountMinor, totalMinor }) => ({
      movements: [
        {
          type: 'post',
          posting: headOf('payout', row, { step: `return:${totalMinor}`, event: 'payout.returned', reverses: true }),
          currency: row.currency,
          lines: [
            { walletId: platformWallet(row), amountMinor: -amountMinor },
            { walletId: row.walletId, amountMinor },
          ],
        },
      ],
      events: [eventOf('payout', 'payout.returned', row)],
    }),
    strayMoney: () => NO_EFFECTS,
  };
}

/** Everything that is fixed before the row is written: the account, and that the provider can do it. */
async function approvedBeneficiary(request: PayoutRequest, { db, wallets, providers }: LifeOptions): Promise<string> {
  const { walletId, currency, payeeId, destination } = request;
  const wallet = await wallets.find(walletId);
  if (wallet === null) throw noSuchWallet(walletId);
  if (wallet.currency !== currency) throw otherCurrency(wallet);
  const { payout, refusalOfAccount } = providerOf(providers, request.provider);
  const refusal = payout === null ? `It cannot pay out. ${choiceFor('payout', providers)}` : payout.refusalOf(request);
  if (refusal !== null) throw new PaymentError('provider-not-able', { detail: `${request.provider}: ${refusal}` });
  if (payeeId === null) return accountOf(destination ?? '', refusalOfAccount);
  const payee = await db.em().findOne(PayeeEntity, { payeeId });
  if (payee === null || payee.ownerId !== wallet.ownerId || payee.provider !== request.provider) {
    const detail =
      `The owner of "${walletId}" has no payee "${payeeId}" at ${request.provider}. ` +
      'Create it with POST /v1/payees under the same owner_id and provider.';
    throw new PaymentError('not-found', { detail });
  }
  return payee.account;
}

/** What the provider could only refuse is told to the caller, who is still there to mend it. */
function accountOf(destination: string, refusalOfAccount: Provider['refusalOfAccount']): string {
  const detail = refusalOfAccount(destination);
  if (detail === null) return destination;
  throw new PaymentError('validation-failed', { detail, errors: [{ pointer: '/destination', detail }] });
}

function askedFor({ semanticKey: _key, confirm: _confirm, traceparent: _trace, ...asked }: PayoutRequest) {
  return asked;
}
