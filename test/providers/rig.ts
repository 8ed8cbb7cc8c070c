// A sandbox with a receiver of its webhooks, and the real adapters pointed at it.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pkid } from '../../src/domain/id.ts';
import type { Provider, ProviderEvent } from '../../src/domain/provider.ts';
import { createDemobank } from '../../src/providers/demobank.ts';
import { createPaypal } from '../../src/providers/paypal.ts';
import { createSquare } from '../../src/providers/square.ts';
import { createStripe } from '../../src/providers/stripe.ts';
import { createTipalti } from '../../src/providers/tipalti.ts';
import type { BookRow } from '../../src/sandbox/payment.ts';
import { startSandbox } from '../../src/sandbox/server.ts';

/** Long enough for a busy machine, and never waited out where an answer comes. */
export const LIMITS = { timeoutMs: 20_000 };
const SECRETS = {
  stripe: 'whsec_contract',
  // The id of the webhook, which is part of what is signed.
  paypal: 'WH-CONTRACT',
  square: 'square_signature_key',
  demobank: 'demobank_contract',
};
const log = { warn: () => undefined, error: () => undefined };

export interface Setup {
  /** Another credential than the right one. */
  readonly secret?: string;
  /** Another secret of webhooks than the right one. */
  readonly webhookSecret?: string;
  readonly keyRetentionMs?: number;
  /** Where the sandbox sends its webhooks, for the provider that signs the address. */
  readonly webhookUrl?: string;
}

/** What the sandbox knows as nobody's. */
const STRANGERS: Readonly<Record<string, string>> = {
  stripe: ' ',
  paypal: '',
  square: '',
  tipalti: 'revoked',
  demobank: ' ',
};

/** Each adapter at a base URL, which may be that of a wire on the way to the sandbox. */
export const MAKE = {
  stripe: (url: string, { secret = 'sk_test_contract', ...setup }: Setup = {}) =>
    createStripe({
      secretKey: secret,
      webhookSecrets: [setup.webhookSecret ?? SECRETS.stripe],
      baseUrl: `${url}/stripe`,
      live: false,
      log,
      ...retentionOf(setup),
    }),
  paypal: (url: string, { secret = 'secret_contract', ...setup }: Setup = {}) =>
    createPaypal({
      clientId: 'client',
      clientSecret: secret,
      webhookId: setup.webhookSecret ?? SECRETS.paypal,
      baseUrl: `${url}/paypal`,
      live: false,
      log,
      ...retentionOf(setup),
    }),
  square: (url: string, { secret = 'EAAA_contract', webhookUrl = '', ...setup }: Setup = {}) =>
    createSquare({
      accessToken: secret,
      signatureKeys: [setup.webhookSecret ?? SECRETS.square],
      notificationUrl: `${webhookUrl}/square`,
      locationId: 'LSANDBOX00001',
      baseUrl: `${url}/square`,
      live: false,
      log,
      ...retentionOf(setup),
    }),
  tipalti: (url: string, { secret = 'refresh_contract', ...setup }: Setup = {}) =>
    createTipalti({
      clientId: 'client',
      clientSecret: 'client_secret',
      refreshToken: secret,
      payer: 'Remit',
      baseUrl: `${url}/tipalti`,
      authUrl: `${url}/tipalti/connect/token`,
      ipnUrl: `${url}/tipalti/notif/ipn.aspx`,
      live: false,
      log,
      ...retentionOf(setup),
    }),
  demobank: (url: string, { secret = 'contract', ...setup }: Setup = {}) =>
    createDemobank({
      secretKey: secret,
      webhookSecrets: [setup.webhookSecret ?? SECRETS.demobank],
      baseUrl: `${url}/demobank`,
      log,
      ...retentionOf(setup),
    }),
} satisfies Record<string, (url: string, setup?: Setup) => Provider>;

export type Made = keyof typeof MAKE;

/** As it arrived, with what verifying made of it. */
export interface Delivery {
  readonly name: Made;
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly receivedAt: Date;
  /** Null when it did not verify; then the sandbox was answered 401. */
  readonly event: ProviderEvent | null;
}

/** What counts of a line of the sandbox's book. */
export type Moved = Pick<BookRow, 'provider' | 'direction' | 'amount' | 'currency'>;

export interface Rig {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  /** The adapter that talks to the sandbox, or to it by way of a wire. */
  make(name: Made, setup?: Setup & { readonly via?: string }): Provider;
  /** The same with credentials that the provider does not know. */
  makeStranger(name: Made): Provider;
  /** The money that moved for an operation, disputes, returns and fees left out. */
  moved(pkid: Pkid): Moved[];
  /** One of the sandbox's own routes. */
  control(path: string, body?: object): Promise<void>;
  close(): Promise<void>;
}

export async function openRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'remit-contract-'));
  const receiver = await openReceiver();
  const sandbox = await startSandbox({
    port: 0,
    host: '127.0.0.1',
    dataFile: join(folder, 'sandbox.jsonl'),
    webhookUrl: receiver.url,
    webhookSecrets: SECRETS,
  });
  const make: Rig['make'] = (name, { via, ...setup } = {}) =>
    MAKE[name](via ?? sandbox.url, { webhookUrl: receiver.url, ...setup });
  receiver.verify = async (name, delivery) =>
    make(name).parseWebhook(delivery.raw, delivery.headers, delivery.receivedAt);
  return {
    url: sandbox.url,
    deliveries: receiver.deliveries,
    make,
    makeStranger: (name) => make(name, { secret: STRANGERS[name] ?? '' }),
    moved: (pkid) =>
      sandbox
        .book()
        .filter(({ key, direction }) => key === pkid && ['in', 'out', 'refund'].includes(direction))
        .map(({ provider, direction, amount, currency }) => ({ provider, direction, amount, currency })),
    async control(path, body = {}) {
      const response = await fetch(`${sandbox.url}/_sandbox${path}`, { method: 'POST', body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`The sandbox refused ${path}: ${await response.text()}`);
    },
    async close() {
      await sandbox.close();
      receiver.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Verify = (name: Made, delivery: Omit<Delivery, 'event'>) => Promise<ProviderEvent>;

async function openReceiver() {
  const deliveries: Delivery[] = [];
  const server = createServer(async (request, response) => {
    const raw = Buffer.concat(await request.toArray());
    const headers = Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)]));
    const name = nameIn(request.url ?? '');
    const arrived = { name, raw, headers, receivedAt: new Date() };
    const event = await receiver.verify(name, arrived).catch(() => null);
    deliveries.push({ ...arrived, event });
    response.writeHead(event === null ? 401 : 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver got no port.');
  const unready: Verify = () => Promise.reject(new Error('The sandbox is not up yet.'));
  const receiver = {
    url: `http://127.0.0.1:${address.port}`,
    deliveries,
    verify: unready,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return receiver;
}

function nameIn(path: string): Made {
  const name = path.slice(1);
  if (isMade(name)) return name;
  throw new Error(`The sandbox sent a webhook to ${path}, which no adapter reads.`);
}

function isMade(name: string): name is Made {
  return Object.hasOwn(MAKE, name);
}

function retentionOf({ keyRetentionMs }: Setup) {
  return keyRetentionMs === undefined ? {} : { keyRetentionMs };
}
