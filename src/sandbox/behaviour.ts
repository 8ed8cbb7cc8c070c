// The behaviour words: what a destination's name makes of the call that moves the money, and random faults that take
// their place.
import { hash } from 'node:crypto';
import type { DueStep, PaymentKind } from './payment.ts';

/**
 * edge: an answer given before the provider looked at the call; it acts on the first call under a key, moving nothing.
 * outcome: what the call does when it is executed. later: what happens to the payment by itself after LATER_MS.
 * reply: how the answer travels. hidden: look-ups miss the payment for LATER_MS.
 */
export type Plan = {
  edge: 'unavailable' | 'timeout' | 'html' | 'rate_limited' | null;
  outcome: 'paid' | 'declined' | 'insufficient' | 'error' | 'pending' | 'action';
  later: Exclude<DueStep, 'reveal' | 'win' | 'lose'> | null;
  reply: 'plain' | 'error' | 'hold' | 'reset' | 'slow';
  hidden: boolean;
};

/** How long `pending`, `bounce`, `hidden` and each step of a dispute take, and how late `slow` is; the contract's. */
export const LATER_MS = 2_000;
export const SLOW_MS = 3_000;

const ok: Plan = { edge: null, outcome: 'paid', later: null, reply: 'plain', hidden: false };

export const PLANS = {
  ok,
  decline: { ...ok, outcome: 'declined' },
  insufficient: { ...ok, outcome: 'insufficient' },
  error_before: { ...ok, edge: 'unavailable' },
  error_stored: { ...ok, outcome: 'error' },
  paid_then_500: { ...ok, reply: 'error' },
  timeout_before: { ...ok, edge: 'timeout' },
  paid_then_timeout: { ...ok, reply: 'hold' },
  paid_then_reset: { ...ok, reply: 'reset' },
  hidden: { ...ok, reply: 'hold', hidden: true },
  html: { ...ok, edge: 'html' },
  rate_limit: { ...ok, edge: 'rate_limited' },
  slow: { ...ok, reply: 'slow' },
  pending: { ...ok, outcome: 'pending', later: 'pay' },
  pending_then_fail: { ...ok, outcome: 'pending', later: 'decline' },
  never: { ...ok, outcome: 'pending' },
  bounce: { ...ok, later: 'return' },
  // These speak of money that comes in (below); a payout to such a name simply works.
  action: ok,
  abandon: ok,
  dispute_won: ok,
  dispute_lost: ok,
} satisfies Record<string, Plan>;

export type Word = keyof typeof PLANS;

const PAYIN_PLANS: Partial<Record<Word, Plan>> = {
  action: { ...ok, outcome: 'action' },
  abandon: { ...ok, outcome: 'action', later: 'expire' },
  dispute_won: { ...ok, later: 'dispute_then_win' },
  dispute_lost: { ...ok, later: 'dispute_then_lose' },
};

export function planOf(word: Word, kind: PaymentKind): Plan {
  return (kind === 'payin' ? PAYIN_PLANS[word] : undefined) ?? PLANS[word];
}

export function isWord(text: string): text is Word {
  return Object.hasOwn(PLANS, text);
}

export const WORDS: Word[] = Object.keys(PLANS).filter(isWord);

const PATTERNS = WORDS.toSorted((a, b) => b.length - a.length).map((word) => ({
  word,
  pattern: new RegExp(`(?:^|[^A-Za-z0-9])${word}(?:$|[^A-Za-z0-9])`),
}));

const ANY_WORD = PATTERNS.map(({ word }) => word).join('|');
// A refund has no name of its own to speak through, so its word stands in the payment's, after `refund_`. So does the
// word for the first of two steps, which moves no money, after `reserve_`.
const REFUND_WORD = new RegExp(`refund_(${ANY_WORD})(?=$|[^A-Za-z0-9])`, 'g');
const RESERVE_WORD = new RegExp(`reserve_(${ANY_WORD})(?=$|[^A-Za-z0-9])`, 'g');

/** The longest word that stands alone in the text: between underscores or other punctuation, or at an end. */
export function wordOf(text: string): Word {
  const rest = text.replaceAll(REFUND_WORD, '').replaceAll(RESERVE_WORD, '');
  return PATTERNS.find(({ pattern }) => pattern.test(rest))?.word ?? 'ok';
}

/** What a payment's name says of the refunds of it: `pm_refund_decline` pays, and refuses to be given back. */
export function refundWordOf(text: string): Word {
  return firstWord(text, REFUND_WORD);
}

/** What a payment's name says of the call that only reserves: `tok_reserve_paid_then_500` is reserved, and not told. */
export function reserveWordOf(text: string): Word {
  return firstWord(text, RESERVE_WORD);
}

function firstWord(text: string, pattern: RegExp): Word {
  const word = [...text.matchAll(pattern)][0]?.[1] ?? 'ok';
  return isWord(word) ? word : 'ok';
}

export type Faults = { seed: number; rates: { word: Word; rate: number }[]; latencyMs: number };

/** The word this call draws: the same seed, key and call number always draw the same one. */
export function drawFault({ faults, key, number }: { faults: Faults; key: string; number: number }): Word | null {
  if (faults.rates.length === 0) return null;
  let left = fraction([faults.seed, key, number]);
  for (const { word, rate } of faults.rates) {
    if (left < rate) return word;
    left -= rate;
  }
  return null;
}

/** A number from 0 up to 1 that depends on nothing but the parts. */
export function fraction(parts: (string | number)[]): number {
  // 48 bits fit a double exactly.
  return Number.parseInt(hash('sha256', parts.join('\n'), 'hex').slice(0, 12), 16) / 2 ** 48;
}
