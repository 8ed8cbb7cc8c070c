// The credentials of the providers: who is live, which halves are refused, and what is mixed with the sandbox.

import { describe, expect, it } from 'vitest';
import { ConfigError, type Environment, readConfig } from '../../src/runtime/config.ts';

function problemsOf(env: Environment): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** A whole set of each provider's credentials. */
const LIVE = {
  stripe: { STRIPE_SECRET_KEY: 'sk_live_1', STRIPE_WEBHOOK_SECRET: 'whsec_1' },
  paypal: { PAYPAL_CLIENT_ID: 'AbC', PAYPAL_CLIENT_SECRET: 'EfG', PAYPAL_WEBHOOK_ID: '8PT597110X687430LKGECATA' },
  square: {
    SQUARE_ACCESS_TOKEN: 'EAAA',
    SQUARE_LOCATION_ID: 'L1',
    SQUARE_WEBHOOK_SIGNATURE_KEY: 'key',
    SQUARE_NOTIFICATION_URL: 'https://pay.example.com/webhooks/square',
  },
  tipalti: {
    TIPALTI_CLIENT_ID: 'id',
    TIPALTI_CLIENT_SECRET: 'secret',
    TIPALTI_REFRESH_TOKEN: 'token',
    TIPALTI_PAYER: 'Example Inc.',
  },
} as const;
const PROVIDERS = ['stripe', 'paypal', 'square', 'tipalti'] as const;
const LOCAL = 'http://127.0.0.1:3001/stand-in';
const without = (env: Environment, name: string) =>
  Object.fromEntries(Object.entries(env).filter(([key]) => key !== name));

describe('the credentials of a provider', () => {
  it.each(PROVIDERS)('make %s live and leave every other provider in the sandbox', (provider) => {
    const config = readConfig(LIVE[provider]);
    expect(PROVIDERS.filter((name) => config[name].live)).toEqual([provider]);
  });

  it('may be given for all providers at once', () => {
    const config = readConfig({ ...LIVE.stripe, ...LIVE.paypal, ...LIVE.square, ...LIVE.tipalti });
    expect(config).toMatchObject({
      stripe: { live: true, secretKey: 'sk_live_1', webhookSecrets: ['whsec_1'], rps: 25 },
      paypal: {
        live: true,
        clientId: 'AbC',
        clientSecret: 'EfG',
        webhookId: '8PT597110X687430LKGECATA',
        rps: 400 / 60,
      },
      square: {
        live: true,
        accessToken: 'EAAA',
        locationId: 'L1',
        signatureKeys: ['key'],
        notificationUrl: 'https://pay.example.com/webhooks/square',
        rps: null,
      },
      tipalti: {
        live: true,
        clientId: 'id',
        clientSecret: 'secret',
        refreshToken: 'token',
        payer: 'Example Inc.',
        rps: null,
      },
    });
  });

  it.each(
    PROVIDERS.flatMap((provider) => Object.keys(LIVE[provider]).map((missing) => ({ provider, missing }))).filter(
      ({ missing }) => missing !== 'STRIPE_SECRET_KEY',
    ),
  )('are no set without $missing: the start names it and says what to set', ({ provider, missing }) => {
    const problems = problemsOf(without(LIVE[provider], missing));
    expect(problems).toEqual([
      expect.stringMatching(new RegExp(`^${missing} is missing while .+ is set, .+ Set it to .+\\.$`)),
    ]);
  });

  it('that are missing are all named at once', () => {
    expect(problemsOf({ TIPALTI_PAYER: 'x', PAYPAL_CLIENT_ID: 'x' }).map((line) => line.split(' ')[0])).toEqual([
      'PAYPAL_CLIENT_SECRET',
      'PAYPAL_WEBHOOK_ID',
      'TIPALTI_CLIENT_ID',
      'TIPALTI_CLIENT_SECRET',
      'TIPALTI_REFRESH_TOKEN',
    ]);
  });

  it('may be lists while they are rotated: the first one is used, and all signature keys are trusted', () => {
    const env = {
      ...LIVE.paypal,
      ...LIVE.square,
      ...LIVE.tipalti,
      PAYPAL_CLIENT_SECRET: 'new,old',
      SQUARE_ACCESS_TOKEN: 'new, old',
      SQUARE_WEBHOOK_SIGNATURE_KEY: 'new,old',
      TIPALTI_CLIENT_SECRET: 'new,old',
      TIPALTI_REFRESH_TOKEN: 'new,old',
    };
    expect(readConfig(env)).toMatchObject({
      paypal: { clientSecret: 'new' },
      square: { accessToken: 'new', signatureKeys: ['new', 'old'] },
      tipalti: { clientSecret: 'new', refreshToken: 'new' },
    });
  });

  it('need nothing to trust events with at an address on this machine', () => {
    const env = {
      STRIPE_SECRET_KEY: 'sk_test_1',
      STRIPE_BASE_URL: LOCAL,
      PAYPAL_CLIENT_ID: 'x',
      PAYPAL_CLIENT_SECRET: 'x',
      PAYPAL_BASE_URL: LOCAL,
      SQUARE_ACCESS_TOKEN: 'x',
      SQUARE_LOCATION_ID: 'x',
      SQUARE_BASE_URL: LOCAL,
      KEY_RETENTION_MS: '20000',
    };
    expect(problemsOf(env)).toEqual([]);
  });

  it('of the webhook alone change what the sandbox signs with, and nothing else', () => {
    const env = {
      STRIPE_WEBHOOK_SECRET: 'whsec_mine',
      PAYPAL_WEBHOOK_ID: 'WH-MINE',
      SQUARE_WEBHOOK_SIGNATURE_KEY: 'mine',
      SQUARE_NOTIFICATION_URL: 'http://127.0.0.1:3000/webhooks/square',
    };
    expect(readConfig(env)).toMatchObject({
      stripe: { live: false, webhookSecrets: ['whsec_mine'] },
      paypal: { live: false, webhookId: 'WH-MINE' },
      square: { live: false, signatureKeys: ['mine'], notificationUrl: 'http://127.0.0.1:3000/webhooks/square' },
    });
  });

  it.each(PROVIDERS)('of the real %s exclude a made-up key retention, which could pay twice', (provider) => {
    const env = { ...LIVE[provider], KEY_RETENTION_MS: '20000' };
    expect(problemsOf(env)).toEqual([expect.stringContaining('Remove KEY_RETENTION_MS')]);
    const base = `${provider.toUpperCase()}_BASE_URL`;
    expect(problemsOf({ ...env, [base]: 'https://proxy.example.com' })).toHaveLength(1);
    expect(problemsOf({ ...env, [base]: LOCAL })).toEqual([]);
  });

  it('for a Tipalti on this machine stay on this machine, sign-in and notifications included', () => {
    const local = { ...LIVE.tipalti, TIPALTI_BASE_URL: LOCAL };
    expect(readConfig(local).tipalti).toMatchObject({ authUrl: LOCAL, ipnUrl: LOCAL });
    expect(readConfig({ TIPALTI_BASE_URL: 'https://stand-in.example.com' }).tipalti).toMatchObject({
      live: false,
      authUrl: 'https://stand-in.example.com',
    });
    expect(readConfig({ ...LIVE.tipalti, TIPALTI_BASE_URL: 'https://api-sb.tipalti.com' }).tipalti.authUrl).toBeNull();
  });

  it.each(PROVIDERS)('of %s can have any rate, sandbox or not', (provider) => {
    const name = `${provider.toUpperCase()}_RPS`;
    expect(readConfig({ [name]: '7.5' })[provider].rps).toBe(7.5);
    expect(readConfig({ ...LIVE[provider], [name]: '900' })[provider].rps).toBe(900);
  });
});
