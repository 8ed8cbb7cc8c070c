// The provider that a row or a request names, and what it means when a look-up there gets no answer.

import { PaymentError } from '../domain/errors.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';

export function providerOf(providers: ReadonlyMap<ProviderName, Provider>, name: ProviderName): Provider {
  const provider = providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...providers.keys()].join(', ');
  throw new PaymentError('not-found', { detail: `There is no provider "${name}" here. Use one of: ${known}.` });
}

/** The way out for whoever chose one that cannot do it. */
export function chooseAble(providers: ReadonlyMap<ProviderName, Provider>, kind: 'payin' | 'payout'): string {
  const able = [...providers.values()].filter((provider) => provider[kind] !== null).map(({ name }) => name);
  return `Choose another provider: ${able.join(', ')}.`;
}

/** A look-up moves nothing, so a surprise of any type means the same: it is asked again. */
export function unavailable(cause: unknown): never {
  if (!(cause instanceof PaymentError) || cause.surprise === undefined) throw cause;
  throw new PaymentError('unavailable', { detail: 'The provider gave no answer. It is asked again.', cause });
}
