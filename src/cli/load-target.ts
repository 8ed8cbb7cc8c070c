// What a load is about to run against, looked at before anything is made there: whether it is a remit, whether it knows
// the key, and where its money is real.

import { KINDS_OF, PROVIDERS, type ProviderName } from '../domain/provider.ts';
import type { LoadClient } from './load-client.ts';
import type { LoadPlan } from './load-plan.ts';
import { UsageError } from './usage-error.ts';

/** Provider -> whether real money moves there; empty when it does not say, as an older version. */
export type LoadTarget = ReadonlyMap<ProviderName, boolean>;

const LIVE = /^remit_provider_live\{provider="(?<name>[a-z]+)"\} (?<live>[01])$/gm;
/** Too fast, or not ready yet. */
const PASSING = [429, 503];

/** Throws with the way out where no load can begin. */
export async function lookAtTarget(client: LoadClient, url: string): Promise<LoadTarget> {
  const { status, text } = await client.read('/metrics').catch((error: unknown) => {
    throw new Error(silenceText(error, url), { cause: error });
  });
  if (status === 401) throw new Error(`The key is not known at ${url}. Give the right one with --key.`);
  if (status === 403) {
    throw new Error(
      'This key may not read: a load needs the scopes read, write and operate. ' +
        'Make one with: npm run remit -- keys create --scopes read,write,operate',
    );
  }
  if (PASSING.includes(status)) {
    throw new Error(`The remit at ${url} is not ready (${status}). Look at ${url}/readyz, and start again then.`);
  }
  if (status !== 200 || !text.includes('remit_')) {
    throw new Error(`What answers at ${url} is no remit (${status}). Give the address of its API with --url.`);
  }
  return new Map(
    [...text.matchAll(LIVE)].flatMap(({ groups }) => {
      const name = PROVIDERS.find((known) => known === groups?.name);
      return name === undefined ? [] : [[name, groups?.live === '1'] as const];
    }),
  );
}

/** Throws a UsageError where the load could not work as it was asked for, or should be asked for twice. */
export function refuseTarget(
  target: LoadTarget,
  { plan, url, isLiveMeant }: { plan: LoadPlan; url: string; isLiveMeant: boolean },
): void {
  const paying = [...target.keys()].filter((name) => KINDS_OF[name].includes('payout'));
  if (target.size > 0 && plan.mix.payouts > 0 && !paying.some((name) => name === plan.provider)) {
    const others = paying.length === 0 ? '' : `--provider with one of: ${paying.join(', ')}, or `;
    throw new UsageError(
      `Nobody called ${plan.provider} pays out at ${url}; nothing was made. Give ${others}--mix transfers=1.`,
    );
  }
  const risk = riskOf(target);
  if (risk !== null && !isLiveMeant) {
    throw new UsageError(
      `The remit at ${url} ${risk}, and what a load makes stays in its books: wallets, money out of @equity, ` +
        'operations. Nothing was made. Give --yes if that is meant, or --url of another remit.',
    );
  }
}

export function accountsText(target: LoadTarget): string {
  return riskOf(target) ?? 'has no live accounts';
}

function riskOf(target: LoadTarget): string | null {
  if (target.size === 0) return 'does not say whether its accounts are live';
  const live = [...target].flatMap(([name, isLive]) => (isLive ? [name] : []));
  return live.length === 0 ? null : `has live accounts (${live.join(', ')})`;
}

function silenceText(error: unknown, url: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ECONNREFUSED') {
    return `Nothing answers at ${url}. Start remit with "npm start", or give its address with --url.`;
  }
  if (code === 'TIMEOUT') {
    return `What listens at ${url} does not answer. Look at ${url}/readyz, or give the address of the API with --url.`;
  }
  return `Cannot talk to ${url} (${code}). Give the address of its API with --url.`;
}
