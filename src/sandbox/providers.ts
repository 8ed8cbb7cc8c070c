// The providers the sandbox plays. A new one is a file beside these and a line here.
import { demobank } from './demobank.ts';
import { paypal } from './paypal.ts';
import { square } from './square.ts';
import { stripe } from './stripe.ts';
import { tipalti } from './tipalti.ts';
import type { Provider } from './world.ts';

export const PROVIDERS = { stripe, paypal, square, tipalti, demobank } satisfies Record<string, Provider>;

export type ProviderName = keyof typeof PROVIDERS;

export function isProviderName(name: string): name is ProviderName {
  return Object.hasOwn(PROVIDERS, name);
}
