// Webhook endpoints over HTTP: registered with a secret that is shown once, and a log of everything they were told.

import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { EVENT_TYPES, type EventType } from '../../src/domain/outgoing.ts';
import { createWebhookEndpoints, deliveryJobId, ENABLED_ENDPOINTS_MAX } from '../../src/jobs/webhook-endpoint.ts';
import { createWebhookOut } from '../../src/jobs/webhook-out.ts';
import { outgoingTablesOf, writeOutgoing } from '../../src/ledger/outgoing.ts';
import { readClock } from '../../src/ledger/reads.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { type Receiver, startReceiver } from '../jobs/webhook-out-rig.ts';
import { isErrorOf, type Rig, rowsOf, startRig } from './rig.ts';

const PATH = '/v1/webhook-endpoints';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const enqueued: string[] = [];
let rig: Rig;
let receiver: Receiver;
let api: Rig['api'];
beforeAll(async () => {
  receiver = await startReceiver();
  // The test's own sender delivers, and nobody takes it away from it.
  rig = await startRig({}, { withWorkers: false });
  const webhookEndpoints = createWebhookEndpoints({
    db: rig.remit.app.db,
    allowHosts: [`127.0.0.1:${receiver.port}`],
    enqueue: async (jobs) => void enqueued.push(...jobs.map(deliveryJobId)),
    lookup: async () => [{ address: '93.184.215.14' }],
  });
  api = rig.with({ webhookEndpoints });
});
afterAll(async () => {
  await rig.stop();
  await receiver.close();
});

const get = (path: string) => rig.call('GET', path, { api });
const post = (path: string, body?: unknown) => rig.call('POST', path, { api, body });
const register = async (url: string, events: readonly string[] = ['payout.*']) => {
  const { json, status } = await post(PATH, { url, events });
  expect(status).toBe(201);
  return { id: String(json.endpoint_id), secret: String(json.secret), json };
};

describe('an endpoint', () => {
  it('is registered with a secret that is shown once', async () => {
    const answer = await post(PATH, { url: 'https://example.com/hooks?shop=1', events: ['payout.*', 'payout.*', '*'] });
    expect(answer.status).toBe(201);
    const { secret, ...rest } = answer.json;
    expect(answer.headers.get('Location')).toBe(`${PATH}/${rest.endpoint_id}`);
    expect(rest).toMatchObject({
      url: 'https://example.com/hooks?shop=1',
      events: ['payout.*', '*'],
      status: 'enabled',
    });
    expect(Buffer.from(String(secret).replace(/^whsec_/, ''), 'base64')).toHaveLength(32);
    const one = await get(`${PATH}/${rest.endpoint_id}`);
    expect(one.json).toEqual(rest);
    const all = await get(PATH);
    expect(rowsOf(all)).toContainEqual(rest);
    for (const { text } of [one, all, await post(`${PATH}/${rest.endpoint_id}/disable`)])
      expect(text).not.toMatch(/secret":/);
  });

  it.each([
    ['an unknown type', ['payout.exploded']],
    ['an unknown pattern', ['pay*']],
    ['a known one and an unknown one', ['payout.*', 'nothing.*']],
  ])('that names %s is told what there is', async (_what, events) => {
    const answer = await post(PATH, { url: 'https://example.com/', events });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
    for (const type of [...EVENT_TYPES, 'payout.*', '*']) expect(answer.json.detail).toContain(type);
  });

  it.each([
    [{ url: 'https://example.com/' }],
    [{ url: 'https://example.com/', events: [] }],
    [{ url: 'https://example.com/', events: 'payout.*' }],
    [{ url: 7, events: ['*'] }],
    [{ url: '', events: ['*'] }],
    [{ url: `https://example.com/${'x'.repeat(2_048)}`, events: ['*'] }],
    [{ url: 'https://example.com/', events: ['*'], secret: 'mine' }],
  ])('is refused when it is not whole: %j', async (body) => {
    expect(isErrorOf(await post(PATH, body))).toEqual({ status: 422, code: 'validation-failed' });
  });

  it.each([
    'http://example.com/',
    'https://user:secret@example.com/',
    'https://example.com:8443/',
    'https://127.0.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::ffff:10.0.0.1]/',
    'not a url',
  ])('may not be %s', async (url) => {
    const answer = await post(PATH, { url, events: ['*'] });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'url-not-allowed' });
    expect(answer.json.errors).toEqual([{ pointer: '/url', detail: answer.json.detail }]);
    expect(answer.text).not.toContain('secret@');
  });

  it('gets a new secret while the one before still signs for a day', async () => {
    const { id, secret } = await register('https://example.com/rotating');
    const { status, json } = await post(`${PATH}/${id}/rotate`);
    expect(status).toBe(200);
    expect(json.secret).not.toBe(secret);
    const hours =
      (Date.parse(String(json.previous_secret_expires_at)) - Date.parse(String(json.updated_at))) / 3_600_000;
    expect(Math.round(hours)).toBe(24);
  });

  it('is switched off and on again, twice as well as once, and keeps its place in the list', async () => {
    const { id } = await register('https://example.com/switched');
    for (const _twice of [1, 2]) {
      const { json } = await post(`${PATH}/${id}/disable`);
      expect(json).toMatchObject({ status: 'disabled', disabled_reason: 'requested' });
    }
    expect(rowsOf(await get(`${PATH}?status=disabled`)).map((row) => row.endpoint_id)).toContain(id);
    for (const _twice of [1, 2]) {
      const { json } = await post(`${PATH}/${id}/enable`);
      expect(json).toMatchObject({ status: 'enabled', disabled_reason: null });
    }
    expect(rowsOf(await get(`${PATH}?status=disabled`)).map((row) => row.endpoint_id)).not.toContain(id);
  });

  it('is made once however often it is registered, and the repeat says how to get a new secret', async () => {
    const url = 'https://example.com/lost-answer';
    const events = [
      ['payout.*', 'transfer.failed'],
      ['transfer.failed', 'payout.*'],
    ];
    const answers = await Promise.all([...events, ...events].map((each) => post(PATH, { url, events: each })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
    const id = String(answers.find(({ status }) => status === 201)?.json.endpoint_id);
    for (const answer of answers.filter(({ status }) => status === 409)) {
      expect(isErrorOf(answer)).toEqual({ status: 409, code: 'invalid-state' });
      expect(answer.headers.get('Location')).toBe(`${PATH}/${id}`);
      expect(answer.json.detail).toContain(`POST ${PATH}/${id}/rotate`);
    }
    expect(rowsOf(await get(`${PATH}?limit=500`)).filter((row) => row.url === url)).toHaveLength(1);
    expect((await post(`${PATH}/${id}/rotate`)).json.secret).toMatch(/^whsec_/);
  });

  it('may share its URL with one of other events or one that is off, which cannot be enabled beside it', async () => {
    const url = 'https://example.com/shared';
    const { id: first } = await register(url, ['payout.*']);
    await register(url, ['payout.*', 'refund.*']);
    await post(`${PATH}/${first}/disable`);
    const { id: second } = await register(url, ['payout.*']);
    const refused = await post(`${PATH}/${first}/enable`);
    expect(isErrorOf(refused)).toEqual({ status: 409, code: 'invalid-state' });
    expect(refused.headers.get('Location')).toBe(`${PATH}/${second}`);
    await post(`${PATH}/${second}/disable`);
    expect((await post(`${PATH}/${first}/enable`)).json.status).toBe('enabled');
  });

  it.each(['', '/deliveries', `/deliveries/${NOBODY}`])('that is not there is 404: %s', async (path) => {
    expect(isErrorOf(await get(`${PATH}/${NOBODY}${path}`))).toEqual({ status: 404, code: 'not-found' });
    expect(isErrorOf(await get(`${PATH}/nobody${path}`))).toEqual({ status: 404, code: 'not-found' });
  });

  it.each(['rotate', 'disable', 'enable', `deliveries/${NOBODY}/resend`])(
    'that is not there cannot %s',
    async (action) => {
      expect(isErrorOf(await post(`${PATH}/${NOBODY}/${action}`))).toEqual({ status: 404, code: 'not-found' });
    },
  );
});

describe('the log of an endpoint', () => {
  it('shows what it was told, in pages, and has it told again under the same id', async () => {
    const { id, secret } = await register(receiver.url, ['transfer.*']);
    receiver.answer = (response) => response.writeHead(503).end();
    await emit('transfer.succeeded', ['log-1', 'log-2', 'log-3']);
    const out = sender();
    // What earlier tests left may be due again by now, too.
    for (const deliveryId of await out.due(1_000)) await out.deliver(deliveryId);

    const first = await get(`${PATH}/${id}/deliveries?limit=2`);
    expect(first.json).toMatchObject({ has_more: true });
    const second = await get(`${PATH}/${id}/deliveries?limit=2&cursor=${first.json.next_cursor}`);
    const rows = [...rowsOf(first), ...rowsOf(second)];
    expect(rows).toHaveLength(3);
    const failed = rowsOf(await get(`${PATH}/${id}/deliveries?status=failed`));
    expect(failed).toHaveLength(3);
    const [one = {}] = failed;
    expect(one).toMatchObject({
      endpoint_id: id,
      event: { type: 'transfer.succeeded', kind: 'transfer', sequence: 1 },
      status: 'failed',
      attempts: 1,
      outcome: 'http_503',
      http_status: 503,
      next_attempt_at: null,
    });

    receiver.answer = (response) => response.writeHead(200).end();
    const path = `${PATH}/${id}/deliveries/${one.delivery_id}`;
    const again = await post(`${path}/resend`);
    expect(again.status).toBe(202);
    expect(again.headers.get('Location')).toBe(path);
    expect(again.json).toMatchObject({ status: 'pending', attempts: 1 });
    expect(enqueued).toEqual([`webhook-out-${one.delivery_id}-1`]);
    expect(rowsOf(await get(`${PATH}/${id}/deliveries?status=pending`))).toHaveLength(1);
    await out.deliver(String(one.delivery_id));
    expect((await get(path)).json).toMatchObject({ status: 'delivered', attempts: 2, http_status: 200 });
    const told = receiver.received.filter(({ body }) => body.data.semantic_key === keyOf(one));
    expect(told).toHaveLength(2);
    expect(new Set(told.map(({ headers, raw }) => headers['webhook-id'] + raw)).size).toBe(1);
    for (const { raw, headers } of told) new Webhook(secret).verify(raw, headers);
  });

  it('shows nobody what another endpoint was told, and resends nothing to one that is off', async () => {
    const { id } = await register(receiver.url, ['payee.updated']);
    const { id: other } = await register('https://example.com/other', ['dispute.*']);
    await emit('payee.updated', ['private']);
    const [row = {}] = rowsOf(await get(`${PATH}/${id}/deliveries`));
    expect(rowsOf(await get(`${PATH}/${other}/deliveries`))).toEqual([]);
    expect((await get(`${PATH}/${other}/deliveries/${row.delivery_id}`)).status).toBe(404);
    expect((await post(`${PATH}/${other}/deliveries/${row.delivery_id}/resend`)).status).toBe(404);
    await post(`${PATH}/${id}/disable`);
    const refused = await post(`${PATH}/${id}/deliveries/${row.delivery_id}/resend`);
    expect(isErrorOf(refused)).toEqual({ status: 409, code: 'invalid-state' });
  });
});

describe('the number of endpoints', () => {
  it('is bounded, because each of them is written to in every commit', async () => {
    await sql`
      UPDATE webhook_endpoint SET status = 'disabled', disabled_reason = 'requested', enabled_since = NULL
      WHERE status = 'enabled'`.execute(rig.remit.app.db.sql);
    const urls = Array.from({ length: ENABLED_ENDPOINTS_MAX }, (_, at) => `https://example.com/many/${at}`);
    for (const url of urls) await register(url);
    const refused = await post(PATH, { url: 'https://example.com/one-more', events: ['*'] });
    expect(isErrorOf(refused)).toEqual({ status: 409, code: 'invalid-state' });
    const [off = {}] = rowsOf(await get(`${PATH}?status=disabled`));
    expect(isErrorOf(await post(`${PATH}/${off.endpoint_id}/enable`))).toEqual({ status: 409, code: 'invalid-state' });
  });
});

function keyOf(row: object): unknown {
  return 'event' in row && typeof row.event === 'object' && row.event !== null && 'semantic_key' in row.event
    ? row.event.semantic_key
    : null;
}

function emit(type: EventType, keys: readonly string[]): Promise<string[]> {
  const { db } = rig.remit.app;
  const events = keys.map((semanticKey) => {
    const subject = { kind: 'transfer', pkid: pkidOf('transfer', semanticKey), semanticKey } as const;
    return { type, ...subject };
  });
  return db.transaction(async (tx) =>
    writeOutgoing(statementsOf(tx), { tables: outgoingTablesOf(db), events, now: await readClock(statementsOf(tx)) }),
  );
}

/** Gives up after the first attempt. */
function sender() {
  return createWebhookOut({
    db: rig.remit.app.db,
    log: silentLogger(),
    allowHosts: [`127.0.0.1:${receiver.port}`],
    render: async ({ kind, semanticKey }) => ({ kind, semantic_key: semanticKey }),
    onAttempt: () => undefined,
    ladderMs: [],
  });
}
