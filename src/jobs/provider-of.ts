// The provider that a row or a request names.

import { PaymentError } from '../domain/errors.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';

export function providerOf(providers: ReadonlyMap<ProviderName, Provider>, name: ProviderName): Provider {
  const provider = providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...providers.keys()].join(', ');
  throw new PaymentError('not-found', { detail: `There is no provider "${name}" here. Use one of: ${known}.` });
}
