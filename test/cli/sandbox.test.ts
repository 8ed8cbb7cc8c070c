// Whether a process needs a sandbox, where it finds one, and that every start says which providers are real.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findSandbox, providersSaid } from '../../src/cli/sandbox.ts';
import { readConfig } from '../../src/runtime/config.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

const STRIPE = { STRIPE_SECRET_KEY: 'sk_live_1', STRIPE_WEBHOOK_SECRET: 'whsec_1' };
const ALL_LIVE = {
  ...STRIPE,
  PAYPAL_CLIENT_ID: 'id',
  PAYPAL_CLIENT_SECRET: 'secret',
  PAYPAL_WEBHOOK_ID: 'WH-1',
  SQUARE_ACCESS_TOKEN: 'token',
  SQUARE_LOCATION_ID: 'L1',
  SQUARE_WEBHOOK_SIGNATURE_KEY: 'key',
  SQUARE_NOTIFICATION_URL: 'https://pay.example.com/webhooks/square',
  TIPALTI_CLIENT_ID: 'id',
  TIPALTI_CLIENT_SECRET: 'secret',
  TIPALTI_REFRESH_TOKEN: 'token',
  TIPALTI_PAYER: 'payer',
};

describe('a process without a sandbox of its own', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'remit-find-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const find = (env: Record<string, string>) =>
    findSandbox(readConfig({ REMIT_DATA_DIR: folder, ...env }), silentLogger());

  it('finds the one of its data folder, also for what is left beside a live provider', () => {
    writeFileSync(join(folder, 'sandbox.address'), 'http://127.0.0.1:4321');
    expect(find({})).toBe('http://127.0.0.1:4321');
    expect(find(STRIPE)).toBe('http://127.0.0.1:4321');
  });

  it('takes the port it is told', () => {
    expect(find({ SANDBOX_PORT: '4000' })).toBe('http://127.0.0.1:4000');
  });

  it('needs none when every provider is real', () => {
    writeFileSync(join(folder, 'sandbox.address'), 'http://127.0.0.1:4321');
    expect(find({ ...ALL_LIVE, SANDBOX_PORT: '4000' })).toBeNull();
  });

  it('does without one beside a live provider, and says how to get one when there is no provider at all', () => {
    expect(find(STRIPE)).toBeNull();
    expect(() => find({})).toThrow(/Start "npm run remit -- sandbox" first, .+ or set the credentials/);
  });
});

it.each([
  { live: [], played: ['stripe', 'paypal', 'square', 'tipalti', 'demobank'], said: 'providers: sandbox' },
  { live: ['stripe', 'paypal', 'square', 'tipalti'], played: [], said: 'providers: live' },
  { live: ['stripe'], played: [], said: 'providers: stripe live' },
  { live: ['stripe', 'paypal'], played: ['square'], said: 'providers: stripe, paypal live; square sandbox' },
])('a start says "$said" when $live are live and $played are not', ({ live, played, said }) => {
  const providers = [...live.map((name) => ({ name, live: true })), ...played.map((name) => ({ name, live: false }))];
  expect(providersSaid(new Map(providers.map((one) => [one.name, one])))).toBe(said);
});
