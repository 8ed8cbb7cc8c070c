// Which providers a set-up has, where each is reached, and that the sandbox and the adapters agree on every secret.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sandboxSecrets } from '../../src/cli/sandbox.ts';
import { pkidOf, stepKeyOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { PROVIDERS, type Provider, type ProviderEvent, type ProviderName } from '../../src/domain/provider.ts';
import { openProviders } from '../../src/providers/open.ts';
import { type Environment, readConfig } from '../../src/runtime/config.ts';
import { realProviders } from '../../src/runtime/config-providers.ts';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.ts';

const log = { warn: () => undefined, error: () => undefined };
const LIMITS = { timeoutMs: 20_000 };
/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9';

function openWith(env: Environment, sandboxUrl: string | null = NOWHERE): ReadonlyMap<ProviderName, Provider> {
  const config = readConfig(env);
  return openProviders({ config, sandboxUrl, isBesideReal: realProviders(config).length > 0, log });
}

function liveIn(providers: ReadonlyMap<ProviderName, Provider>): Record<string, boolean> {
  return Object.fromEntries([...providers].map(([name, { live }]) => [name, live]));
}

const STRIPE = { STRIPE_SECRET_KEY: 'sk_live_1', STRIPE_WEBHOOK_SECRET: 'whsec_1' };
const PAYPAL = { PAYPAL_CLIENT_ID: 'id', PAYPAL_CLIENT_SECRET: 'secret', PAYPAL_WEBHOOK_ID: 'WH-1' };

describe('the providers of a set-up', () => {
  it('are all there without any credentials, and none says that it is live', () => {
    expect(liveIn(openWith({}))).toEqual(Object.fromEntries(PROVIDERS.map((name) => [name, false])));
  });

  it('are live where there are credentials, and Demobank is not among real ones', () => {
    expect(liveIn(openWith({ ...STRIPE, ...PAYPAL }))).toEqual({
      stripe: true,
      paypal: true,
      square: false,
      tipalti: false,
    });
  });

  it('have no Demobank beside a real one at an address of its own either, but beside one on this machine', () => {
    const at = (baseUrl: string) => openWith({ ...PAYPAL, PAYPAL_BASE_URL: baseUrl }).has('demobank');
    expect([at('https://proxy.example'), at(NOWHERE)]).toEqual([false, true]);
  });

  it('are only the live ones when no sandbox runs', () => {
    expect(liveIn(openWith(PAYPAL, null))).toEqual({ paypal: true });
    expect(liveIn(openWith({}, null))).toEqual({});
  });

  it('keep a name of their own each, and remember keys as long as they are told', () => {
    const providers = openWith({ KEY_RETENTION_MS: '12345' });
    for (const [name, provider] of providers) {
      expect(provider.name).toBe(name);
      const payments = [provider.payin, provider.payout, provider.refund].filter((one) => one !== null);
      expect(new Set(payments.map(({ keyRetentionMs }) => keyRetentionMs))).toEqual(new Set([12_345]));
    }
  });
});

/** A sandbox made as the command makes it, and what it sends, verified by the adapter it is for. */
async function openStage(env: Environment, webhookPath: string) {
  const folder = await mkdtemp(join(tmpdir(), 'remit-open-'));
  const receiver = createServer().listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const config = { ...readConfig(env), sandboxWebhookUrl: `${urlOf(receiver)}${webhookPath}` };
  const sandbox = await startSandbox({
    port: 0,
    host: '127.0.0.1',
    dataFile: join(folder, 'sandbox.jsonl'),
    webhookUrl: config.sandboxWebhookUrl,
    webhookSecrets: sandboxSecrets(config),
  });
  const providers = openProviders({ config, sandboxUrl: sandbox.url, isBesideReal: false, log });
  const arrived = new Map<string, PromiseWithResolvers<ProviderEvent>>(
    PROVIDERS.map((name) => [name, Promise.withResolvers<ProviderEvent>()]),
  );
  receiver.on('request', (request, response) => {
    const name = request.url?.slice(webhookPath.length + 1) ?? '';
    verified(providers, { name, request }).then(
      (event) => {
        if (event.externId !== null) arrived.get(name)?.resolve(event);
        response.end();
      },
      (error: unknown) => {
        arrived.get(name)?.reject(error);
        response.writeHead(401).end();
      },
    );
  });
  return {
    sandbox,
    providers,
    event: (name: ProviderName) => arrived.get(name)?.promise,
    async close() {
      await sandbox.close();
      receiver.closeAllConnections();
      receiver.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function verified(
  providers: ReadonlyMap<string, Provider>,
  { name, request }: { name: string; request: IncomingMessage },
): Promise<ProviderEvent> {
  const raw = Buffer.concat(await request.toArray());
  const headers = Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)]));
  const provider = providers.get(name);
  if (provider === undefined) throw new Error(`Nobody here is called "${name}".`);
  return provider.parseWebhook(raw, headers, new Date());
}

describe.each([
  { what: 'the values that everybody knows', env: {} },
  {
    what: 'secrets of ones own',
    env: {
      STRIPE_WEBHOOK_SECRET: 'whsec_mine,whsec_old',
      PAYPAL_WEBHOOK_ID: 'WH-MINE',
      SQUARE_WEBHOOK_SIGNATURE_KEY: 'mine,old',
    },
  },
])('in the sandbox, with $what', ({ env }) => {
  let stage: Awaited<ReturnType<typeof openStage>>;
  beforeAll(async () => {
    stage = await openStage(env, '/hooks');
  });
  afterAll(() => stage.close());

  it.each(PROVIDERS)('%s moves its money there, and the event of it verifies', async (name) => {
    const provider = stage.providers.get(name);
    if (provider === undefined) throw new Error(`${name} should be there.`);
    const pkid = await moveOnce(provider);
    const rows = stage.sandbox.book().filter(({ key, direction }) => key === pkid && direction !== 'fee');
    expect(rows).toEqual([expect.objectContaining({ provider: name, amount: '1500', currency: 'USD' })]);
    expect((await stage.event(name))?.externId).toEqual(expect.any(String));
  });
});

it('a live provider with its own address goes there, not to the sandbox, and gets none of its secrets', async () => {
  const stage = await openStage({}, '');
  const other = await openStage({}, '');
  const env = {
    STRIPE_SECRET_KEY: 'sk_test_1',
    STRIPE_BASE_URL: `${other.sandbox.url}/stripe`,
    TIPALTI_CLIENT_ID: 'id',
    TIPALTI_CLIENT_SECRET: 'secret',
    TIPALTI_REFRESH_TOKEN: 'token',
    TIPALTI_PAYER: 'payer',
    TIPALTI_BASE_URL: `${other.sandbox.url}/tipalti`,
  };
  const providers = openWith(env, stage.sandbox.url);
  for (const name of ['stripe', 'tipalti'] as const) {
    const provider = providers.get(name);
    expect(provider?.live).toBe(true);
    if (provider !== undefined) await moveOnce(provider);
  }
  expect(booked(other.sandbox)).toEqual(['stripe', 'tipalti']);
  expect(booked(stage.sandbox)).toEqual([]);
  await Promise.all([stage.close(), other.close()]);
});

it('the sandbox cannot sign as a provider that is real', () => {
  const secrets = sandboxSecrets(readConfig({ ...STRIPE, ...PAYPAL }));
  expect(Object.keys(secrets).toSorted()).toEqual(['demobank', 'square']);
});

/** One payout, or a pay-in where there are none, through as many calls as it takes. */
async function moveOnce(provider: Provider) {
  const { name, payout, payin } = provider;
  const kind = payout === null ? 'payin' : 'payout';
  const pkid = pkidOf(kind, `open:${name}`);
  const order = {
    pkid,
    semanticKey: `open:${name}`,
    key: pkid,
    money: { amountMinor: 1500n, currency: parseCurrency('USD') },
  };
  const browser = { returnUrl: null, cancelUrl: null, statementDescriptor: null, buyer: { email: null, ip: null } };
  const sent =
    (await payout?.send({ ...order, beneficiary: BENEFICIARY[name] }, LIMITS)) ??
    (await payin?.send({ ...order, ...browser, token: 'cnon_ok_1' }, LIMITS));
  if (sent?.type === 'pending' && sent.awaitsConfirm) {
    const reference = { pkid, externId: sent.externId, key: stepKeyOf(pkid, 'confirm'), payinExternId: null };
    await (payout ?? payin)?.confirm(reference, LIMITS);
  }
  return pkid;
}

const BENEFICIARY: Readonly<Record<ProviderName, string>> = {
  stripe: 'acct_ok_1',
  paypal: 'seller_ok_1@example.com',
  square: '',
  tipalti: 'payee_ok_1',
  demobank: 'account_ok_1',
};

function booked(sandbox: Sandbox): string[] {
  return sandbox.book().map(({ provider }) => provider);
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver got no port.');
  return `http://127.0.0.1:${address.port}`;
}
