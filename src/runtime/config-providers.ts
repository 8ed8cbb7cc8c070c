// The credentials of each provider account: what is real, what is the sandbox's, and which halves do not make a whole.
// A provider without credentials talks to the sandbox with values that everybody may know.

import type { ProviderSettings } from '../providers/open.ts';
import { type EnvironmentValues, isLocalUrl } from './config-variables.ts';

/** Those that really exist, as the sandbox's own Demobank does not. */
export const REAL_PROVIDERS = ['stripe', 'paypal', 'square', 'tipalti'] as const;
type RealProvider = (typeof REAL_PROVIDERS)[number];

interface Paced {
  /** Calls a second of this process; null: no limit of ours. */
  readonly rps: number | null;
}

/** What opens each provider, and how fast the real ones may be called. */
export type ProviderConfig = Pick<ProviderSettings, 'demobank'> & {
  readonly [Name in RealProvider]: ProviderSettings[Name] & Paced;
};

// Known to everyone who reads this file, so they protect nothing: they only sign what the local sandbox sends.
const sandboxDefaults = {
  stripeSecretKey: 'sk_test_sandbox_0000000000000000',
  stripeWebhookSecrets: ['whsec_sandbox_stripe_account', 'whsec_sandbox_stripe_connect'],
  paypalClientId: 'paypal_sandbox_client',
  paypalClientSecret: 'paypal_sandbox_0000000000000000',
  paypalWebhookId: 'WH-SANDBOX-0000000000',
  squareAccessToken: 'square_sandbox_0000000000000000',
  squareSignatureKeys: ['square_sandbox_signature_key'],
  // The one location that the sandbox has.
  squareLocationId: 'LSANDBOX00001',
  tipaltiClientId: 'tipalti_sandbox_client',
  tipaltiClientSecret: 'tipalti_sandbox_0000000000000000',
  tipaltiRefreshToken: 'tprt_sandbox_0000000000000000',
  tipaltiPayer: 'SandboxPayer',
  demobankSecretKey: 'demobank_sandbox_0000000000000000',
  demobankWebhookSecrets: ['whsec_sandbox_demobank'],
} as const;

/** Documented limits of a live account, in calls a second. Square and Tipalti publish none; a 429 pauses them. */
const documentedRps: Readonly<Record<RealProvider, number | null>> = {
  // One endpoint; the account has 100 (docs.stripe.com/rate-limits).
  stripe: 25,
  // 400 payouts a minute; the rest of the interface has no published number (docs.paypal.ai/growth/payouts).
  paypal: 400 / 60,
  square: null,
  tipalti: null,
};

export function providersFrom(values: EnvironmentValues): ProviderConfig {
  const stripeSecrets = [...values.STRIPE_WEBHOOK_SECRET, ...values.STRIPE_CONNECT_WEBHOOK_SECRET];
  const signatureKeys = values.SQUARE_WEBHOOK_SIGNATURE_KEY;
  const tipalti = accountOf('tipalti', values);
  // A sandbox plays all three of Tipalti's hosts; what is meant for it must not reach the real ones.
  const played = isReal(tipalti) ? null : tipalti.baseUrl;
  return {
    stripe: {
      ...accountOf('stripe', values),
      secretKey: values.STRIPE_SECRET_KEY[0] ?? sandboxDefaults.stripeSecretKey,
      webhookSecrets: stripeSecrets.length > 0 ? stripeSecrets : sandboxDefaults.stripeWebhookSecrets,
    },
    paypal: {
      ...accountOf('paypal', values),
      clientId: values.PAYPAL_CLIENT_ID ?? sandboxDefaults.paypalClientId,
      clientSecret: values.PAYPAL_CLIENT_SECRET[0] ?? sandboxDefaults.paypalClientSecret,
      webhookId: values.PAYPAL_WEBHOOK_ID ?? sandboxDefaults.paypalWebhookId,
    },
    square: {
      ...accountOf('square', values),
      accessToken: values.SQUARE_ACCESS_TOKEN[0] ?? sandboxDefaults.squareAccessToken,
      signatureKeys: signatureKeys.length > 0 ? signatureKeys : sandboxDefaults.squareSignatureKeys,
      notificationUrl: values.SQUARE_NOTIFICATION_URL ?? null,
      locationId: values.SQUARE_LOCATION_ID ?? sandboxDefaults.squareLocationId,
    },
    tipalti: {
      ...tipalti,
      clientId: values.TIPALTI_CLIENT_ID ?? sandboxDefaults.tipaltiClientId,
      clientSecret: values.TIPALTI_CLIENT_SECRET[0] ?? sandboxDefaults.tipaltiClientSecret,
      refreshToken: values.TIPALTI_REFRESH_TOKEN[0] ?? sandboxDefaults.tipaltiRefreshToken,
      payer: values.TIPALTI_PAYER ?? sandboxDefaults.tipaltiPayer,
      authUrl: values.TIPALTI_AUTH_URL ?? played,
      ipnUrl: values.TIPALTI_IPN_URL ?? played,
    },
    demobank: {
      secretKey: sandboxDefaults.demobankSecretKey,
      webhookSecrets: sandboxDefaults.demobankWebhookSecrets,
    },
  };
}

/** Its calls leave this machine with real credentials, so nothing of the sandbox may be mixed into them. */
export function isReal({ live, baseUrl }: { live: boolean; baseUrl: string | null }): boolean {
  return live && (baseUrl === null || !isLocalUrl(baseUrl));
}

/** Those of a set-up through which real money moves. */
export function realProviders(config: Pick<ProviderConfig, RealProvider>): RealProvider[] {
  return REAL_PROVIDERS.filter((name) => isReal(config[name]));
}

function accountOf(provider: RealProvider, values: EnvironmentValues) {
  const live = credentialsOf[provider].toCall.some(({ name }) => isGiven(values, name));
  const { baseUrl, rps } = addressesOf(values)[provider];
  return { live, baseUrl: baseUrl ?? null, rps: rps ?? (live ? documentedRps[provider] : null) };
}

function addressesOf(values: EnvironmentValues) {
  return {
    stripe: { baseUrl: values.STRIPE_BASE_URL, rps: values.STRIPE_RPS },
    paypal: { baseUrl: values.PAYPAL_BASE_URL, rps: values.PAYPAL_RPS },
    square: { baseUrl: values.SQUARE_BASE_URL, rps: values.SQUARE_RPS },
    tipalti: { baseUrl: values.TIPALTI_BASE_URL, rps: values.TIPALTI_RPS },
  } satisfies Record<RealProvider, unknown>;
}

type Credential = { readonly name: keyof EnvironmentValues; readonly fix: string };

interface Credentials {
  readonly title: string;
  /** All of them or none: with none the sandbox answers. */
  readonly toCall: readonly Credential[];
  /** What proves events genuine. A live account needs it; given alone, the sandbox signs with it. */
  readonly toTrust: readonly Credential[];
}

const credentialsOf: Readonly<Record<RealProvider, Credentials>> = {
  stripe: {
    title: 'Stripe',
    toCall: [{ name: 'STRIPE_SECRET_KEY', fix: 'a secret or restricted key (sk_..., rk_...)' }],
    toTrust: [
      {
        name: 'STRIPE_WEBHOOK_SECRET',
        fix: 'the signing secret (whsec_...) of your webhook endpoint in the Stripe dashboard',
      },
    ],
  },
  paypal: {
    title: 'PayPal',
    toCall: [
      { name: 'PAYPAL_CLIENT_ID', fix: "the client id of your app in PayPal's developer dashboard" },
      { name: 'PAYPAL_CLIENT_SECRET', fix: "the secret of your app in PayPal's developer dashboard" },
    ],
    toTrust: [{ name: 'PAYPAL_WEBHOOK_ID', fix: "the id of your app's webhook in PayPal's developer dashboard" }],
  },
  square: {
    title: 'Square',
    toCall: [
      { name: 'SQUARE_ACCESS_TOKEN', fix: "the access token of your application in Square's developer console" },
      { name: 'SQUARE_LOCATION_ID', fix: 'the id of the location that takes the payments' },
    ],
    toTrust: [
      { name: 'SQUARE_WEBHOOK_SIGNATURE_KEY', fix: 'the signature key of your webhook subscription at Square' },
      { name: 'SQUARE_NOTIFICATION_URL', fix: 'the address of that subscription, letter by letter as Square has it' },
    ],
  },
  tipalti: {
    title: 'Tipalti',
    toCall: [
      { name: 'TIPALTI_CLIENT_ID', fix: 'the client id of your Tipalti application' },
      { name: 'TIPALTI_CLIENT_SECRET', fix: 'the secret of your Tipalti application' },
      { name: 'TIPALTI_REFRESH_TOKEN', fix: 'the refresh token that Tipalti gave when the application was authorised' },
      { name: 'TIPALTI_PAYER', fix: "the payer's name at Tipalti" },
    ],
    // Its events carry no signature; each is sent back to Tipalti and asked about.
    toTrust: [],
  },
};

/** Halves of credentials, and settings of the sandbox beside a real account: one line each, with the fix. */
export function providerContradictions(values: EnvironmentValues): string[] {
  return REAL_PROVIDERS.flatMap((provider) => {
    const { title, toCall, toTrust } = credentialsOf[provider];
    const given = toCall.find(({ name }) => isGiven(values, name));
    if (given === undefined) return [];
    const problems = toCall
      .filter(({ name }) => !isGiven(values, name))
      .map(
        ({ name, fix }) =>
          `${name} is missing while ${given.name} is set, so ${title} could not be called. ` +
          `Set it to ${fix}, or remove ${given.name} to use the sandbox.`,
      );
    if (!isReal(accountOf(provider, values))) return problems;
    const isTrusting = provider === 'stripe' && values.STRIPE_CONNECT_WEBHOOK_SECRET.length > 0;
    for (const { name, fix } of isTrusting ? [] : toTrust) {
      if (isGiven(values, name)) continue;
      problems.push(
        `${name} is missing while ${given.name} is set, so no event of ${title} could be trusted. Set it to ${fix}.`,
      );
    }
    if (values.KEY_RETENTION_MS !== undefined) {
      problems.push(
        `KEY_RETENTION_MS is for the sandbox only and ${given.name} is set: a wrong retention could pay twice. ` +
          `Remove KEY_RETENTION_MS, or set ${provider.toUpperCase()}_BASE_URL to a sandbox on this machine.`,
      );
    }
    return problems;
  });
}

function isGiven(values: EnvironmentValues, name: keyof EnvironmentValues): boolean {
  const value = values[name];
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}
