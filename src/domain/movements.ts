// The ledger's rules: locked balances and an ordered list of movements in, new balances and entries out. Pure and
// deterministic. A refused movement changes nothing, but for the debt that was paid back before it was checked, and
// does not disturb the ones after it.

import { type Kind, type Pkid, type PostingId, postingIdOf } from './id.ts';
import type { Currency, Money } from './money.ts';

export interface Balance {
  readonly walletId: string;
  readonly currency: Currency;
  readonly postedMinor: bigint;
  readonly heldMinor: bigint;
  /** Number of the last entry of this wallet. */
  readonly seq: bigint;
  readonly allowNegative: boolean;
}

/** Funds reserved for an operation; holdId is the operation's pkid. */
export interface Hold {
  readonly holdId: Pkid;
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly status: 'active' | 'captured' | 'released';
}

/** What a posting is about. Its id is derived from the operation and the step, so it cannot be written twice. */
export interface PostingHead {
  readonly postingId: PostingId;
  /** The event of the chart, such as "payout.succeeded". */
  readonly event: string;
  readonly kind: Kind;
  readonly pkid: Pkid;
  readonly semanticKey: string;
  /** The posting that this one takes back, or null. */
  readonly reverses: PostingId | null;
}

/** Whom a posting is written for. */
export type Subject = Pick<PostingHead, 'kind' | 'pkid' | 'semanticKey'>;

/** One signed line: + grows the wallet. */
export interface Line {
  readonly walletId: string;
  readonly amountMinor: bigint;
  /** Only where the wallet is lowered: what its available balance does not cover comes from there. */
  readonly orFrom?: string;
}

export type Movement =
  | {
      readonly type: 'transfer';
      readonly posting: PostingHead;
      readonly from: string;
      readonly to: string;
      readonly money: Money;
    }
  | {
      readonly type: 'hold';
      readonly holdId: Pkid;
      readonly walletId: string;
      readonly money: Money;
      readonly subject: Subject;
    }
  /** Ends a hold by moving its whole amount to another wallet. */
  | { readonly type: 'capture'; readonly posting: PostingHead; readonly holdId: Pkid; readonly to: string }
  | { readonly type: 'release'; readonly holdId: Pkid }
  | {
      readonly type: 'post';
      readonly posting: PostingHead;
      readonly currency: Currency;
      readonly lines: readonly Line[];
      /** The seller whose debt is paid back from it at once. */
      readonly repays?: string;
    };

export type RefusalCode =
  | 'insufficient_funds'
  | 'limit_exceeded'
  | 'wallet_not_found'
  | 'same_wallet'
  | 'currency_mismatch'
  | 'amount_not_positive'
  | 'unbalanced'
  | 'hold_exists'
  | 'hold_not_active';

export type MovementResult = { readonly type: 'done' } | { readonly type: 'refused'; readonly code: RefusalCode };

export interface Entry {
  readonly postingId: PostingId;
  readonly walletId: string;
  readonly seq: bigint;
  readonly currency: Currency;
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
}

export interface Book {
  readonly wallets: ReadonlyMap<string, Balance>;
  readonly holds: ReadonlyMap<Pkid, Hold>;
  /** Of each seller's wallet that is in the book, the wallet of their debt, where there is one. */
  readonly debts: ReadonlyMap<string, string>;
}

export interface Applied extends Omit<Book, 'debts'> {
  readonly entries: readonly Entry[];
  /** The heads of the postings that were written, in order. */
  readonly postings: readonly PostingHead[];
  /** One per movement, in order. */
  readonly results: readonly MovementResult[];
}

/** What a bigint column holds; beyond it a balance is refused rather than wrapped. */
const BALANCE_MAX = 2n ** 63n - 1n;
const DONE: MovementResult = { type: 'done' };

interface Working {
  readonly wallets: Map<string, Balance>;
  readonly holds: Map<Pkid, Hold>;
  readonly debts: ReadonlyMap<string, string>;
  readonly entries: Entry[];
  readonly postings: PostingHead[];
}

export function apply(book: Book, movements: readonly Movement[]): Applied {
  const { debts } = book;
  const copies = { wallets: new Map(book.wallets), holds: new Map(book.holds) };
  const working: Working = { ...copies, debts, entries: [], postings: [] };
  const results = movements.map((movement) => applyOne(working, movement));
  const { wallets, holds, entries, postings } = working;
  return { wallets, holds, entries, postings, results };
}

function applyOne(working: Working, movement: Movement): MovementResult {
  switch (movement.type) {
    case 'transfer':
      return transfer(working, movement);
    case 'hold':
      return placeHold(working, movement);
    case 'capture':
      return captureHold(working, movement);
    case 'release':
      return releaseHold(working, movement.holdId);
    case 'post':
      return postAndRepay(working, movement);
  }
}

function postAndRepay(working: Working, movement: Extract<Movement, { type: 'post' }>): MovementResult {
  const result = post(working, movement);
  if (result.type === 'done' && movement.repays !== undefined) {
    repayDebt(working, movement.repays, movement.posting, movement.posting.postingId);
  }
  return result;
}

/** `step` names the occasion: each repays once. */
export function repaymentIdOf(pkid: Pkid, step: string): PostingId {
  return postingIdOf(pkid, `repay:${step}`);
}

/** A seller who owes pays back first, from what is available. */
function repayDebt(working: Working, walletId: string, subject: Subject, step: string): void {
  const debtId = working.debts.get(walletId);
  const wallet = working.wallets.get(walletId);
  const debt = debtId === undefined ? undefined : working.wallets.get(debtId);
  if (wallet === undefined || debt === undefined) return;
  const availableMinor = availableOf(wallet);
  const amountMinor = availableMinor < -debt.postedMinor ? availableMinor : -debt.postedMinor;
  if (amountMinor <= 0n) return;
  const { kind, pkid, semanticKey } = subject;
  post(working, {
    posting: {
      postingId: repaymentIdOf(pkid, step),
      event: 'debt.netted',
      kind,
      pkid,
      semanticKey,
      reverses: null,
    },
    currency: wallet.currency,
    lines: [
      { walletId, amountMinor: -amountMinor },
      { walletId: debt.walletId, amountMinor },
    ],
  });
}

function availableOf({ postedMinor, heldMinor }: Balance): bigint {
  return postedMinor > heldMinor ? postedMinor - heldMinor : 0n;
}

function transfer(working: Working, movement: Extract<Movement, { type: 'transfer' }>): MovementResult {
  const { posting, from, to, money } = movement;
  if (from === to) return refused('same_wallet');
  if (money.amountMinor <= 0n) return refused('amount_not_positive');
  repayDebt(working, from, posting, 'before');
  return post(working, {
    posting,
    currency: money.currency,
    lines: [
      { walletId: from, amountMinor: -money.amountMinor },
      { walletId: to, amountMinor: money.amountMinor },
    ],
  });
}

function placeHold(working: Working, movement: Extract<Movement, { type: 'hold' }>): MovementResult {
  const { holdId, walletId, money, subject } = movement;
  repayDebt(working, walletId, subject, 'before');
  const wallet = working.wallets.get(walletId);
  if (wallet === undefined) return refused('wallet_not_found');
  if (wallet.currency !== money.currency) return refused('currency_mismatch');
  if (money.amountMinor <= 0n) return refused('amount_not_positive');
  if (working.holds.has(holdId)) return refused('hold_exists');
  const heldMinor = wallet.heldMinor + money.amountMinor;
  if (heldMinor > BALANCE_MAX) return refused('limit_exceeded');
  if (!wallet.allowNegative && wallet.postedMinor < heldMinor) return refused('insufficient_funds');
  working.wallets.set(walletId, { ...wallet, heldMinor });
  working.holds.set(holdId, { holdId, walletId, amountMinor: money.amountMinor, status: 'active' });
  return DONE;
}

function captureHold(working: Working, movement: Extract<Movement, { type: 'capture' }>): MovementResult {
  const hold = working.holds.get(movement.holdId);
  const wallet = hold && working.wallets.get(hold.walletId);
  if (hold?.status !== 'active' || wallet === undefined) return refused('hold_not_active');
  if (hold.walletId === movement.to) return refused('same_wallet');
  const freed: Balance = { ...wallet, heldMinor: wallet.heldMinor - hold.amountMinor };
  working.wallets.set(hold.walletId, freed);
  const result = post(working, {
    posting: movement.posting,
    currency: wallet.currency,
    lines: [
      { walletId: hold.walletId, amountMinor: -hold.amountMinor },
      { walletId: movement.to, amountMinor: hold.amountMinor },
    ],
  });
  if (result.type === 'refused') working.wallets.set(hold.walletId, wallet);
  else working.holds.set(hold.holdId, { ...hold, status: 'captured' });
  return result;
}

function releaseHold(working: Working, holdId: Pkid): MovementResult {
  const hold = working.holds.get(holdId);
  const wallet = hold && working.wallets.get(hold.walletId);
  if (hold?.status !== 'active' || wallet === undefined) return refused('hold_not_active');
  working.wallets.set(hold.walletId, { ...wallet, heldMinor: wallet.heldMinor - hold.amountMinor });
  working.holds.set(holdId, { ...hold, status: 'released' });
  return DONE;
}

function post(
  working: Working,
  { posting, currency, lines }: { posting: PostingHead; currency: Currency; lines: readonly Line[] },
): MovementResult {
  if (lines.length < 2 || lines.reduce((sum, line) => sum + line.amountMinor, 0n) !== 0n) return refused('unbalanced');
  const changed = new Map<string, Balance>();
  const entries: Entry[] = [];
  const current = (walletId: string) => changed.get(walletId) ?? working.wallets.get(walletId);
  // Each line is covered as the lines before it left the wallet: one posting may take from one seller twice.
  for (const line of lines) {
    for (const { walletId, amountMinor } of covered(line, current(line.walletId))) {
      const wallet = current(walletId);
      if (wallet === undefined) return refused('wallet_not_found');
      if (wallet.currency !== currency) return refused('currency_mismatch');
      const balanceAfterMinor = wallet.postedMinor + amountMinor;
      if (balanceAfterMinor > BALANCE_MAX || balanceAfterMinor < -BALANCE_MAX) return refused('limit_exceeded');
      const seq = wallet.seq + 1n;
      changed.set(walletId, { ...wallet, postedMinor: balanceAfterMinor, seq });
      entries.push({ postingId: posting.postingId, walletId, seq, currency, amountMinor, balanceAfterMinor });
    }
  }
  for (const wallet of changed.values()) {
    const before = working.wallets.get(wallet.walletId)?.postedMinor ?? 0n;
    const isLowered = wallet.postedMinor < before;
    if (isLowered && !wallet.allowNegative && wallet.postedMinor < wallet.heldMinor)
      return refused('insufficient_funds');
  }
  for (const [walletId, wallet] of changed) working.wallets.set(walletId, wallet);
  working.entries.push(...entries);
  working.postings.push(posting);
  return DONE;
}

/** The line as it stands, or split between the wallet and where the rest comes from. */
function covered(line: Line, wallet: Balance | undefined): Line[] {
  const { walletId, amountMinor, orFrom } = line;
  if (orFrom === undefined || amountMinor >= 0n || wallet === undefined) return [line];
  const availableMinor = availableOf(wallet);
  const ownMinor = availableMinor < -amountMinor ? availableMinor : -amountMinor;
  const own = { walletId, amountMinor: -ownMinor };
  const rest = { walletId: orFrom, amountMinor: amountMinor + ownMinor };
  return [own, rest].filter((part) => part.amountMinor !== 0n);
}

function refused(code: RefusalCode): MovementResult {
  return { type: 'refused', code };
}
