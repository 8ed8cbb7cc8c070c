// What a load consists of: which kinds in which shares, when each operation is due, and the names of the run's own
// wallets and operations. Pure, so that the same run id always asks for the same.

import { InvalidArgumentError } from 'commander';

export const LOAD_KINDS = ['transfers', 'payouts'] as const;
export type LoadKind = (typeof LOAD_KINDS)[number];
export type Mix = Readonly<Record<LoadKind, number>>;

export interface LoadPlan {
  /** Begins the name of everything that this run makes. */
  readonly runId: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly mix: Mix;
  readonly wallets: number;
  readonly provider: string;
  /** How long after it was due an operation may take. */
  readonly finalWithinMs: number;
}

export interface Arrival {
  readonly kind: LoadKind;
  readonly key: string;
  /** After the start of the run. */
  readonly dueMs: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export const LOAD_CURRENCY = 'USD';
/** Small: an operation costs the same whatever its amount. */
const AMOUNT_MINOR = 1;
const MIX_FORM = `Use shares that sum to 1, such as transfers=0.7,payouts=0.3 (known: ${LOAD_KINDS.join(', ')}).`;
/** Shares are written in decimals, which do not add up exactly. */
const MIX_TOLERANCE = 1e-6;

export function parseMix(text: string): Mix {
  const mix: Record<LoadKind, number> = { transfers: 0, payouts: 0 };
  for (const part of text.split(',')) {
    const [name = '', share = ''] = part.split('=').map((piece) => piece.trim());
    const kind = LOAD_KINDS.find((known) => known === name);
    if (kind === undefined || !/^(0|1|0?\.\d+|1\.0+)$/.test(share)) throw new InvalidArgumentError(MIX_FORM);
    mix[kind] += Number(share);
  }
  if (Math.abs(mix.transfers + mix.payouts - 1) > MIX_TOLERANCE) throw new InvalidArgumentError(MIX_FORM);
  return mix;
}

export function arrivalsIn({ perSecond, seconds }: Pick<LoadPlan, 'perSecond' | 'seconds'>): number {
  return Math.max(1, Math.round(perSecond * seconds));
}

export function walletIn({ runId }: Pick<LoadPlan, 'runId'>, number: number): string {
  return `load:${runId}:wallet:${number}`;
}

/** Enough in each wallet for all that any wallet could be asked for. */
export function fundsOf(plan: LoadPlan): string {
  return String(arrivalsIn(plan) * AMOUNT_MINOR + 1);
}

export function arrivalOf(plan: LoadPlan, number: number): Arrival {
  const { runId, perSecond, wallets, provider } = plan;
  const kind = kindOf(plan.mix, number);
  const key = `load:${runId}:${kind}:${number}`;
  const from = walletIn(plan, number % wallets);
  const money = { amount: String(AMOUNT_MINOR), currency: LOAD_CURRENCY };
  const dueMs = (number / perSecond) * 1_000;
  if (kind === 'payouts') {
    const body = { semantic_key: key, wallet_id: from, ...money, provider, destination: 'acct_ok_load', confirm: true };
    return { kind, key, dueMs, body };
  }
  // The step is never a whole turn, so no wallet pays itself, and the pairs change from turn to turn.
  const step = 1 + (Math.floor(number / wallets) % (wallets - 1));
  const to = walletIn(plan, (number + step) % wallets);
  return { kind, key, dueMs, body: { semantic_key: key, from_wallet: from, to_wallet: to, ...money } };
}

/** Spread evenly: after any number of arrivals the shares are met as closely as whole numbers can. */
function kindOf({ payouts }: Mix, number: number): LoadKind {
  return Math.floor((number + 1) * payouts + MIX_TOLERANCE) > Math.floor(number * payouts + MIX_TOLERANCE)
    ? 'payouts'
    : 'transfers';
}
