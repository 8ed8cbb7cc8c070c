// The provider that a row or a request names, and what it means when a look-up there gets no answer.

import { PaymentError } from '../domain/errors.ts';
import { type PaymentKind, type Provider, type ProviderName, providersFor } from '../domain/provider.ts';

export function providerOf(providers: ReadonlyMap<ProviderName, Provider>, name: ProviderName): Provider {
  const provider = providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...providers.keys()].join(', ');
  throw new PaymentError('not-found', { detail: `There is no provider "${name}" here. Use one of: ${known}.` });
}

/** The way out for whoever chose a provider that does not do this: those of them here that do. */
export function choiceFor(kind: PaymentKind, providers: ReadonlyMap<ProviderName, Provider>): string {
  const able = providersFor(kind).filter((name) => providers.has(name));
  return able.length === 0 ? 'Set up another provider first.' : `Choose another provider: ${able.join(', ')}.`;
}

/** A look-up moves nothing, so a surprise of any type means the same: it is asked again. */
export function unavailable(cause: unknown): never {
  if (!(cause instanceof PaymentError) || cause.surprise === undefined) throw cause;
  throw new PaymentError('unavailable', { detail: 'The provider gave no answer. It is asked again.', cause });
}
