// Which key may start money at which provider. What is free text at a real provider, or made up by a sandbox beside a
// real one, takes an operator.

import { PaymentError } from '../domain/errors.ts';
import type { ProviderName } from '../domain/provider.ts';
import { realProviders } from '../runtime/config-providers.ts';
import { type Caller, requireScope } from './auth.ts';
import type { ApiOptions } from './options.ts';

interface Asking {
  readonly caller: Caller;
  readonly api: Pick<ApiOptions, 'providers' | 'config'>;
}

/** Outside the sandbox free text decides where money goes. */
export function requireForDestination(provider: ProviderName, { caller, api }: Asking): void {
  if (api.providers.get(provider)?.live === true) requireScope(caller, 'operate');
}

/**
 * While any provider is real, money that a sandbox makes up would meet real money in the same wallets, and could be
 * paid out as such. Throws forbidden.
 */
export function requireForSandbox(name: ProviderName, { caller, api }: Asking): void {
  const real = realProviders(api.config);
  const provider = api.providers.get(name);
  // One that is not there at all is told of as such by its life.
  if (provider === undefined || real.length === 0 || real.some((one) => one === name)) return;
  if (caller.scopes.includes('operate')) return;
  const [what, fix] = provider.live
    ? ['is reached at an address of this machine', `Remove ${name.toUpperCase()}_BASE_URL`]
    : ['has no credentials and talks to the sandbox', `Give ${name} its credentials`];
  throw new PaymentError('forbidden', {
    detail:
      `${name} ${what}, while real money moves through ${real.join(', ')}: what is made up there could be paid out ` +
      `as real. ${fix}, or use a key that has the scope "operate".`,
  });
}
