// The providers of this set-up: real where there are credentials, the sandbox otherwise. A new provider is a file
// beside this one and its lines here.

import type { Provider, ProviderName } from '../domain/provider.ts';
import { createDemobank } from './demobank.ts';
import { createPaypal } from './paypal.ts';
import { createSquare } from './square.ts';
import { createStripe } from './stripe.ts';
import type { ProviderLog } from './surprise.ts';
import { createTipalti } from './tipalti.ts';

interface Account {
  /** Credentials were given, so money is real as far as we know. */
  readonly live: boolean;
  /** Null: the provider's own address when live, the sandbox otherwise. */
  readonly baseUrl: string | null;
}

export interface ProviderSettings {
  readonly stripe: Account & { readonly secretKey: string; readonly webhookSecrets: readonly string[] };
  readonly paypal: Account & { readonly clientId: string; readonly clientSecret: string; readonly webhookId: string };
  readonly square: Account & {
    readonly accessToken: string;
    readonly signatureKeys: readonly string[];
    /** Null: where the sandbox sends its events. */
    readonly notificationUrl: string | null;
    readonly locationId: string;
  };
  readonly tipalti: Account & {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly refreshToken: string;
    readonly payer: string;
    readonly authUrl: string | null;
    readonly ipnUrl: string | null;
  };
  readonly demobank: { readonly secretKey: string; readonly webhookSecrets: readonly string[] };
  readonly sandboxWebhookUrl: string;
  /** Null: what each provider documents. */
  readonly keyRetentionMs: number | null;
}

type RealProvider = Exclude<ProviderName, 'demobank'>;

interface OpenOptions {
  readonly config: ProviderSettings;
  /** Where the sandbox listens; null when there is none, and then only what has an address of its own is there. */
  readonly sandboxUrl: string | null;
  /** Demobank takes money out of a wallet and pays nobody, so it is for set-ups without any real account. */
  readonly isBesideReal: boolean;
  readonly log: ProviderLog;
}

export function openProviders(options: OpenOptions): ReadonlyMap<ProviderName, Provider> {
  const { config, sandboxUrl, isBesideReal, log } = options;
  const { stripe, paypal, square, tipalti, demobank, keyRetentionMs } = config;
  const rest = keyRetentionMs === null ? { log } : { log, keyRetentionMs };
  const sandboxed = (path: string) => (sandboxUrl === null ? null : `${sandboxUrl}/${path}`);

  /** Where it is reached. A sandbox's credentials go nowhere else, so without a sandbox it is left out. */
  function open(name: RealProvider, create: (baseUrl: string | null) => Provider): Provider[] {
    const { live, baseUrl } = config[name];
    const address = baseUrl ?? (live ? null : sandboxed(name));
    return address === null && !live ? [] : [create(address)];
  }

  const providers = [
    ...open('stripe', (baseUrl) => createStripe({ ...stripe, baseUrl, ...rest })),
    ...open('paypal', (baseUrl) => createPaypal({ ...paypal, baseUrl, ...rest })),
    ...open('square', (baseUrl) => {
      const notificationUrl = square.notificationUrl ?? `${config.sandboxWebhookUrl}/square`;
      return createSquare({ ...square, notificationUrl, baseUrl, ...rest });
    }),
    ...open('tipalti', (baseUrl) => {
      const played = tipalti.live ? null : sandboxed('tipalti');
      const authUrl = tipalti.authUrl ?? (played && `${played}/connect/token`);
      const ipnUrl = tipalti.ipnUrl ?? (played && `${played}/notif/ipn.aspx`);
      return createTipalti({ ...tipalti, baseUrl, authUrl, ipnUrl, ...rest });
    }),
  ];
  const demobankUrl = sandboxed('demobank');
  if (demobankUrl !== null && !isBesideReal) {
    providers.push(createDemobank({ ...demobank, baseUrl: demobankUrl, ...rest }));
  }
  return new Map(providers.map((provider) => [provider.name, provider]));
}
