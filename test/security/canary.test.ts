// A secret is planted into everything that holds one, and a day of the shop is lived, troubles included. Then none of
// them is in a log, in the queue, in an answer that is an error, or in a body that was sent to a merchant.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/runtime/logger.ts';
import { type Answer, type Rig, startRig } from '../api/rig.ts';
import { freePort } from '../harness/process.ts';
import { redisUrl, startRedis, type TestRedis } from '../harness/redis.ts';
import { type Receiver, startReceiver } from '../jobs/webhook-out-rig.ts';
import { type Canaries, CREDENTIALS, canariesIn, examplesOf, SENT } from './canaries.ts';
import { liveThrough, sendBadRequests } from './day.ts';
import { everythingInRedis, readTables } from './everything.ts';
import { basic, withPages } from './pages.ts';

describe.each([...(redisUrl() === null ? [] : (['redis'] as const)), 'postgres' as const])('on %s', (backend) => {
  const lines: string[] = [];
  const errors: Answer[] = [];
  let redis: TestRedis | null = null;
  let rig: Rig;
  let receiver: Receiver;
  /** What remit itself has made: keys of the API, secrets of endpoints, sessions. */
  let made: Canaries;

  beforeAll(async () => {
    redis = backend === 'redis' ? await startRedis() : null;
    receiver = await startReceiver();
    const port = await freePort();
    const at = (name: string) => `http://127.0.0.1:${port}/${name}`;
    const destination = { write: (line: string) => void lines.push(line) };
    rig = await startRig(
      {
        ...CREDENTIALS,
        ...{ STRIPE_BASE_URL: at('stripe'), PAYPAL_BASE_URL: at('paypal'), SQUARE_BASE_URL: at('square') },
        ...{ TIPALTI_BASE_URL: at('tipalti'), TIPALTI_PAYER: 'SandboxPayer', SQUARE_LOCATION_ID: 'LSANDBOX00001' },
        WEBHOOK_ALLOW_HOSTS: `127.0.0.1:${receiver.port}`,
        ...(redis !== null && { REDIS_URL: redis.url }),
      },
      { withWebhooks: true, sandboxPort: port, log: createLogger({ level: 'trace', format: 'json', destination }) },
    );
    const server = withPages(rig);
    const key = await rig.key(['read', 'write', 'operate']);
    const page = await server.request('/', { headers: basic(key) });
    const session = /remit_session=([^;]+)/.exec(page.headers.get('Set-Cookie') ?? '')?.[1] ?? '';
    const call = async (method: string, path: string, options: Parameters<Rig['call']>[2] = {}) => {
      const answer = await rig.call(method, path, { api: server, key, ...options });
      if (answer.status >= 400) errors.push(answer);
      return answer;
    };
    const secret = await liveThrough({ call, receiver });
    await sendBadRequests({ call, basic: basic(`${key}x`), reader: await rig.key(['read']) });
    made = { 'API key': key, session, 'secret of an endpoint': secret.replace('whsec_', '') };
  }, 120_000);
  afterAll(async () => {
    await rig?.stop();
    await receiver?.close();
    await redis?.stop();
  });

  const all = () => ({ ...CREDENTIALS, ...SENT, ...made });

  it('the day was lived: much was logged, refused, queued and told', async () => {
    expect(lines.length).toBeGreaterThan(100);
    expect(errors.length).toBeGreaterThan(100);
    const statuses = [...new Set(errors.map(({ status }) => status))];
    expect(statuses).toEqual(expect.arrayContaining([400, 401, 403, 404, 413, 415, 422]));
    expect(receiver.received.length).toBeGreaterThan(5);
    expect(Object.values(made).every((secret) => secret.length > 20)).toBe(true);
  });

  it('no line of the log holds any of them', () => {
    expect(examplesOf(lines, all())).toEqual({});
  });

  it('no answer that is an error holds any of them, in its body or its headers', () => {
    const texts = errors.map(({ text, headers }) => `${text} ${JSON.stringify([...headers])}`);
    expect(examplesOf(texts, all())).toEqual({});
  });

  it('nothing in the queue holds any of them', async () => {
    const { db } = rig.remit.app;
    const texts =
      redis === null ? (await readTables(db, 'bullmq')).map(({ row }) => row) : await everythingInRedis(redis.url);
    expect(texts.length).toBeGreaterThan(20);
    expect(examplesOf(texts, all())).toEqual({});
  });

  it('no body that a merchant was sent holds more than what they sent as their own', async () => {
    // The resource as GET shows it: with its metadata, the account that is paid, and why a refund was made.
    const { metadata, destination, reason, ...others } = SENT;
    const bodies = receiver.received.map(({ raw, headers }) => `${raw} ${JSON.stringify(headers)}`);
    expect(examplesOf(bodies, { ...CREDENTIALS, ...others, ...made })).toEqual({});
    const own = { metadata, destination, reason };
    expect(Object.keys(examplesOf(bodies, own)).toSorted()).toEqual(Object.keys(own).toSorted());
  });

  it('the database holds what it must and nothing beside, and no credential or key at all', async () => {
    const { db } = rig.remit.app;
    const rows = await readTables(db, 'public');
    const found = new Set(rows.flatMap(({ table, row }) => canariesIn(row, all()).map((name) => `${table}: ${name}`)));
    expect([...found].filter((place) => !KEPT.includes(place))).toEqual([]);
    expect(found.size).toBeGreaterThan(KEPT.length / 2);
  });
});

/** Where each of them has its place. */
const KEPT: readonly string[] = [
  ...['adjustment: reason', 'checkout: metadata', 'checkout: token', 'payee: account', 'payee: metadata'],
  ...['payin: email', 'payin: ip', 'payin: metadata', 'payin: returnUrl', 'payin: token'],
  ...['payout: account', 'payout: destination', 'payout: metadata', 'refund: metadata', 'refund: reason'],
  ...['payout: reason', 'review_action: reason'],
  ...['treasury: reference', 'wallet: metadata'],
  // What merchants are told is written down as it is sent.
  ...['delivery: destination', 'delivery: metadata', 'delivery: reason'],
  // Events are kept as the providers sent them, and those know what they were asked.
  ...['provider_event: account', 'provider_event: destination', 'provider_event: email', 'provider_event: token'],
];
