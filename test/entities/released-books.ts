// The books of a shop as each earlier release could have left them: rows in every state that its tables have. What an
// earlier schema lacks is left out: whole chapters by their tables, columns one by one.

import { fingerprintOf } from '../../src/domain/fingerprint.ts';
import { derivedPkid, pkidOf, postingIdOf } from '../../src/domain/id.ts';
import { AT_PROVIDER, type Chapter, journalOf, keptAs, pair } from './released-journal.ts';
import {
  CHANGED,
  DIGEST,
  holdRows,
  type Insert,
  type PaymentFacts,
  PROVIDER,
  paymentRows,
  STATES,
  type State,
  statusChanges,
  THEN,
  USD,
} from './released-payment.ts';
import { sales } from './released-sales.ts';

export interface Released {
  /** Whether the schema of that release has this column. */
  readonly has: (table: string, column: string) => boolean;
  /** The provider's id of a payment that really came in there. */
  readonly paidExternId: string;
  /** Where the platform listens. */
  readonly listenerUrl: string;
}

/** The rows in an order that foreign keys allow. */
export function booksOf(released: Released): Insert[] {
  const { has } = released;
  const chapters = [
    payouts(released),
    ...(has('checkout', 'checkout_id') ? [sales(released.paidExternId)] : []),
    ...(has('unapplied', 'split_off') ? [externals()] : []),
    ...(has('webhook_endpoint', 'endpoint_id') ? [events(released)] : []),
  ];
  const rows = chapters.flatMap((chapter) => chapter.rows);
  const books = journalOf(
    chapters.flatMap(({ postings }) => postings),
    rows,
  );
  return [...books, ...rows];
}

export const payoutRequest = (state: State) => ({
  wallet_id: 'ann',
  amount: '100',
  currency: USD,
  provider: PROVIDER,
  destination: `acct_ok_${state}`,
});

function payouts({ has }: Released): Chapter {
  const facts = STATES.map((state): PaymentFacts => {
    const { destination, wallet_id: walletId } = payoutRequest(state);
    const asked = { walletId, amountMinor: 100n, currency: USD, provider: PROVIDER, payeeId: null, destination };
    const fingerprint = fingerprintOf({ ...asked, expiresAt: null, metadata: {} });
    const own = { wallet_id: walletId, destination, fingerprint, saw_decline: false };
    const externId = state === 'succeeded' ? { externId: 'tr_released' } : {};
    return { kind: 'payout', key: `out:${state}`, state, amount: 100, beneficiary: destination, own, ...externId };
  });
  const money = { currency: USD, fingerprint: DIGEST, created_at: THEN };
  // Before 0004 a movement of treasury stood the other way round than it was booked.
  const [from, to] = has('unapplied', 'split_off') ? [AT_PROVIDER, '@bank:USD'] : ['@bank:USD', AT_PROVIDER];
  const moved = { from_wallet: from, to_wallet: to, amount: 9_000, reference: 'r-1', actor: 'treasurer' };
  const told = { event_id: 'evt_released', type: 'transfer.created', subject: 'payout', body: {} };
  return {
    rows: [
      ...facts.flatMap((one) => [...paymentRows(one), ...holdRows(one, 'ann')]),
      ...transferRows('moved', ['initialized', 'in_process', 'succeeded'], { final_at: THEN, due_at: null }),
      ...transferRows('refused', ['initialized', 'in_process', 'failed'], { ...POOR, final_at: THEN, due_at: null }),
      ...transferRows('waiting', ['initialized'], { due_at: THEN }),
      ['adjustment', { ...booked('adjustment', 'fund'), ...money, wallet_id: 'ann', amount: 50_000, ...BY_HAND }],
      ['treasury', { ...booked('treasury', 'sweep'), ...money, ...moved }],
      [
        'payee',
        { payee_id: 'p-1', owner_id: 'ann', provider: PROVIDER, account: 'acct_1', status: 'payable', ...money },
      ],
      ['provider_event', { ...told, provider: PROVIDER, pkid: pkidOf('payout', 'out:leased'), ...HEARD }],
      ['discrepancy', { ...FOUND, pkid: pkidOf('payout', 'out:failed'), opened_at: THEN }],
    ],
    postings: [
      { kind: 'adjustment', key: 'fund', event: 'adjustment', lines: pair('@equity:USD', 'ann', 50_000) },
      { kind: 'treasury', key: 'sweep', event: 'treasury', lines: pair('@bank:USD', AT_PROVIDER, 9_000) },
      { kind: 'transfer', key: 'moved', event: 'transfer', lines: pair('ann', 'bob', 10) },
      { kind: 'payout', key: 'out:succeeded', event: 'payout.succeeded', lines: pair('ann', AT_PROVIDER, 100) },
    ],
  };
}

/** Since 0004: somebody took a payment in the provider's dashboard. */
function externals(): Chapter {
  const key = 'ext:stripe:pi_hand';
  const row = { kind: 'payin', key, state: 'succeeded', amount: 50, beneficiary: '', externId: 'pi_hand' } as const;
  const kept = {
    reason: 'external_payin',
    provider: PROVIDER,
    extern_payment_id: 'pi_hand',
    amount: 50,
    currency: USD,
  };
  const of = { operation_kind: 'payin', pkid: pkidOf('payin', key), semantic_key: key, opened_at: THEN };
  return {
    rows: [
      ...paymentRows({ ...row, own: { origin: 'external' } }),
      ['unapplied', { ...kept, ...of, unapplied_id: keptAs(key, 'pi_hand') }],
    ],
    postings: [{ kind: 'payin', key, event: 'payin.succeeded', lines: pair(AT_PROVIDER, '@unapplied:USD', 50) }],
  };
}

/** An event that its endpoint has not heard. */
function events({ listenerUrl }: Released): Chapter {
  const pkid = pkidOf('payout', 'out:succeeded');
  const ids = { event_id: derivedPkid(pkid, 'event'), endpoint_id: derivedPkid(pkid, 'endpoint') };
  const secret = { secret: DIGEST, status: 'enabled', enabled_since: new Date(), ...CHANGED };
  const waits = { status: 'pending', attempt: 0, tries: 0, leased: false, due_at: THEN, created_at: THEN };
  const told = { kind: 'payout', pkid, semantic_key: 'out:succeeded', sequence: 1, created_at: THEN };
  return {
    rows: [
      ['webhook_endpoint', { endpoint_id: ids.endpoint_id, url: listenerUrl, events: ['*'], ...secret }],
      ['outgoing_event', { event_id: ids.event_id, type: 'payout.succeeded', ...told }],
      ['delivery', { ...ids, ...waits, pkid, sequence: 1, delivery_id: derivedPkid(pkid, 'delivery') }],
    ],
    postings: [],
  };
}

function transferRows(key: string, path: readonly string[], own: Readonly<Record<string, unknown>>): Insert[] {
  const pkid = pkidOf('transfer', key);
  const row = { pkid, semantic_key: key, status: path.at(-1), from_wallet: 'ann', to_wallet: 'bob', amount: 10 };
  return [
    ['transfer', { ...row, currency: USD, fingerprint: DIGEST, ...CHANGED, ...own }],
    ...statusChanges('transfer', pkid, path),
  ];
}

const POOR = { failure_code: 'insufficient_funds', failure_detail: 'The wallet had too little.' };
const BY_HAND = { reason: 'opening balance', actor: 'operator' };
const HEARD = { occurred_at: THEN, received_at: THEN, due_at: THEN };
const FOUND = {
  discrepancy_id: derivedPkid(pkidOf('payout', 'out:failed'), 'found'),
  reason: 'paid_but_failed',
  detail: 'x',
};

const booked = (kind: 'adjustment' | 'treasury', key: string) => ({
  pkid: pkidOf(kind, key),
  semantic_key: key,
  posting_id: postingIdOf(pkidOf(kind, key), 'settle'),
});
