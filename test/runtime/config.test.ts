// The environment: defaults, what is refused at the start, and that every refusal names the fix.

import { resolve } from 'node:path';
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

const secret = 'do-not-print-me';

describe('config', () => {
  it('needs no variable at all: every default stands', () => {
    expect(readConfig({})).toMatchObject({
      port: 3000,
      portAsked: false,
      host: '127.0.0.1',
      databaseUrl: null,
      redisUrl: null,
      dataDir: resolve('.data'),
      bootstrapKey: null,
      sandboxPort: null,
      sandboxWebhookUrl: 'http://127.0.0.1:3000/webhooks',
      stripe: { live: false, baseUrl: null, rps: null },
      paypal: { live: false, baseUrl: null, rps: null },
      square: { live: false, baseUrl: null, rps: null, notificationUrl: null },
      tipalti: { live: false, baseUrl: null, rps: null, authUrl: null, ipnUrl: null },
      logLevel: 'info',
      reconcileMs: 5_000,
      leaseMs: 60_000,
      providerTimeoutMs: 20_000,
      sendDeadlineMs: 5_000,
      rateLimitRps: null,
      webhookAllowHosts: [],
      keyRetentionMs: null,
      isRestored: false,
      unsafeDurability: false,
      concurrency: { payout: 128, transfer: 1536, webhookIn: 32, maintenance: 2 },
    });
  });

  it('cannot be changed after it was read, at any depth', () => {
    const config = readConfig({});
    expect([config, config.stripe, config.stripe.webhookSecrets, config.concurrency].every(Object.isFrozen)).toBe(true);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '', STRIPE_SECRET_KEY: '', WEBHOOK_ALLOW_HOSTS: '' })).toEqual(
      readConfig({}),
    );
  });

  it('joins both Stripe webhook secrets, each of them a list while they are rotated', () => {
    const env = {
      STRIPE_SECRET_KEY: 'sk_live_new,sk_live_old',
      STRIPE_WEBHOOK_SECRET: 'whsec_a, whsec_b',
      STRIPE_CONNECT_WEBHOOK_SECRET: 'whsec_c',
    };
    expect(readConfig(env).stripe).toMatchObject({
      live: true,
      secretKey: 'sk_live_new',
      webhookSecrets: ['whsec_a', 'whsec_b', 'whsec_c'],
    });
  });

  it('keeps the send deadline well inside a short lease', () => {
    expect(readConfig({ LEASE_MS: '2000', PROVIDER_TIMEOUT_MS: '1000' }).sendDeadlineMs).toBe(200);
  });

  it.each([
    { name: 'PORT', value: '65536' },
    { name: 'PORT', value: '80a' },
    { name: 'HOST', value: 'two words' },
    { name: 'DATABASE_URL', value: `mysql://u:${secret}@h/db` },
    { name: 'REDIS_URL', value: `http://:${secret}@h` },
    { name: 'REMIT_BOOTSTRAP_KEY', value: secret },
    { name: 'SANDBOX_PORT', value: '-1' },
    { name: 'STRIPE_SECRET_KEY', value: secret },
    { name: 'STRIPE_WEBHOOK_SECRET', value: `whsec_ok,${secret}` },
    { name: 'STRIPE_CONNECT_WEBHOOK_SECRET', value: secret },
    { name: 'STRIPE_BASE_URL', value: 'http://stripe.example.com' },
    { name: 'STRIPE_RPS', value: '0' },
    { name: 'PAYPAL_CLIENT_ID', value: `${secret} x` },
    { name: 'PAYPAL_CLIENT_SECRET', value: `ok,${secret} x` },
    { name: 'PAYPAL_WEBHOOK_ID', value: 'WH/1' },
    { name: 'PAYPAL_BASE_URL', value: `https://user:${secret}@paypal.example.com` },
    { name: 'PAYPAL_RPS', value: '-1' },
    { name: 'SQUARE_ACCESS_TOKEN', value: `${secret} x` },
    { name: 'SQUARE_WEBHOOK_SIGNATURE_KEY', value: `${secret}\u00e9` },
    { name: 'SQUARE_NOTIFICATION_URL', value: 'platform.example/webhooks/square' },
    { name: 'SQUARE_LOCATION_ID', value: 'L 1' },
    { name: 'SQUARE_BASE_URL', value: 'https://square.example.com/?v=2' },
    { name: 'SQUARE_RPS', value: '1e3' },
    { name: 'TIPALTI_CLIENT_ID', value: `${secret}\t` },
    { name: 'TIPALTI_CLIENT_SECRET', value: `${secret} x` },
    { name: 'TIPALTI_REFRESH_TOKEN', value: `${secret} x` },
    { name: 'TIPALTI_PAYER', value: 'two\nlines' },
    { name: 'TIPALTI_BASE_URL', value: 'ftp://127.0.0.1/' },
    { name: 'TIPALTI_AUTH_URL', value: 'sso.tipalti.com' },
    { name: 'TIPALTI_IPN_URL', value: 'http://console.tipalti.com/notif/ipn.aspx' },
    { name: 'TIPALTI_RPS', value: '100001' },
    { name: 'LOG_LEVEL', value: 'loud' },
    { name: 'LOG_FORMAT', value: 'xml' },
    { name: 'RECONCILE_MS', value: '1' },
    { name: 'LEASE_MS', value: '1e5' },
    { name: 'PROVIDER_TIMEOUT_MS', value: '2.5' },
    { name: 'RATE_LIMIT_RPS', value: 'many' },
    { name: 'WEBHOOK_ALLOW_HOSTS', value: '127.0.0.1' },
    { name: 'KEY_RETENTION_MS', value: '0' },
    { name: 'REMIT_UNSAFE_DURABILITY', value: 'yes' },
  ])('refuses $name=$value with one line that says what to set and shows no secret', ({ name, value }) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} .*is not valid\\. Set `))]);
    expect(problems[0]).not.toContain(secret);
  });

  it('reports everything that is wrong at once', () => {
    const problems = problemsOf({
      PORT: 'x',
      LOG_LEVEL: 'x',
      REMIT_DATADIR: '/d',
      LEASE_MS: '100',
      KEY_RETENTION_MS: '-',
    });
    expect(problems.map((line) => line.split(' ')[0])).toEqual([
      'REMIT_DATADIR',
      'PORT',
      'LOG_LEVEL',
      'KEY_RETENTION_MS',
      'LEASE_MS',
    ]);
  });

  it('refuses a lease that a call could outlive', () => {
    expect(problemsOf({ LEASE_MS: '39999' })).toEqual([expect.stringContaining('Set LEASE_MS=40000')]);
    expect(problemsOf({ LEASE_MS: '40000' })).toEqual([]);
  });

  it('asks about a name that is nearly one of ours and leaves other names alone', () => {
    expect(problemsOf({ STRIPE_SECERT_KEY: 'sk_x' })).toEqual([
      expect.stringContaining('Did you mean STRIPE_SECRET_KEY?'),
    ]);
    expect(problemsOf({ PAYPAL_CLIENTID: 'x', SQUARE_ACCESS: 'x', TIPALTI_BASEURL: 'x' })).toEqual([
      expect.stringContaining('Did you mean PAYPAL_CLIENT_ID?'),
      expect.stringContaining('Did you mean SQUARE_ACCESS_TOKEN?'),
      expect.stringContaining('Did you mean TIPALTI_BASE_URL?'),
    ]);
    expect(problemsOf({ STRIPE_PUBLISHABLE_KEY: 'pk_x', SQUARE_APPLICATION_ID: 'x', PROT: '1' })).toEqual([]);
  });
});

it.each([
  { env: {}, url: 'http://127.0.0.1:3000/webhooks' },
  { env: { PORT: '8080', HOST: 'localhost' }, url: 'http://localhost:8080/webhooks' },
  { env: { HOST: '0.0.0.0' }, url: 'http://127.0.0.1:3000/webhooks' },
  { env: { HOST: '::1' }, url: 'http://[::1]:3000/webhooks' },
])('the sandbox sends its events to $url with $env', ({ env, url }) => {
  expect(readConfig(env).sandboxWebhookUrl).toBe(url);
});
