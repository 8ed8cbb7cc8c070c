// The rate belongs to the key: every route counts, for each key alone, and who is too fast is told when to come back.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '../../src/jobs/api-key.ts';
import { isErrorOf, type Rig, startRig } from '../api/rig.ts';
import { namedDoors } from './doors.ts';

/** One request, and the next one after a quarter of an hour. */
const RARELY = 0.001;

let rig: Rig;
let api: Rig['api'];
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  api = rig.with({ config: { ...rig.remit.app.config, rateLimitRps: RARELY }, metrics: rig.remit.app.metrics });
});
afterAll(() => rig.stop());

describe.each([
  ...namedDoors.map(([name, { method, address, body }]) => ({ name, method, address, body })),
  { name: 'GET /metrics', method: 'GET', address: '/metrics', body: undefined },
])('$name', ({ method, address, body }) => {
  it('is counted, and the second request is told when to come back and does nothing', async () => {
    const key = await rig.key(SCOPES);
    const options = { key, api, ...(body !== undefined && { body }) };
    expect((await rig.call(method, address, options)).status).not.toBe(429);
    const before = await countChanges();
    const refused = await rig.call(method, address, options);
    expect(isErrorOf(refused)).toEqual({ status: 429, code: 'rate-limited' });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(900);
    expect(await countChanges()).toBe(before);
  });
});

it('the same key elsewhere is the same key, and another key has a rate of its own', async () => {
  const [key, other] = [await rig.key(['read']), await rig.key(['read'])];
  expect((await rig.call('GET', '/v1/wallets', { key, api })).status).toBe(200);
  expect((await rig.call('GET', '/v1/payouts', { key, api })).status).toBe(429);
  expect((await rig.call('GET', '/v1/payouts', { key: other, api })).status).toBe(200);
});

it('what a key may not do counts as well: guessing is no faster than asking', async () => {
  const key = await rig.key(['read']);
  expect((await rig.call('POST', '/v1/audit', { key, api })).status).toBe(403);
  expect((await rig.call('POST', '/v1/audit', { key, api })).status).toBe(429);
});

it('a key that has waited as long as it was told goes on', async () => {
  const quick = rig.with({ config: { ...rig.remit.app.config, rateLimitRps: 0.5 } });
  const key = await rig.key(['read']);
  const send = async () => rig.call('GET', '/v1/wallets', { key, api: quick });
  expect((await send()).status).toBe(200);
  const refused = await send();
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '2']);
  await expect.poll(async () => (await send()).status, { timeout: 10_000, interval: 500 }).toBe(200);
});

/** Rows of the tables that a sample body of some route would add one to. */
async function countChanges(): Promise<string> {
  const { rows } = await sql<{ changes: string }>`
    SELECT (SELECT count(*) FROM wallet) + (SELECT count(*) FROM payee) + (SELECT count(*) FROM webhook_endpoint)
         + (SELECT count(*) FROM checkout) + (SELECT count(*) FROM posting) AS changes`.execute(rig.remit.app.db.sql);
  return rows[0]?.changes ?? '';
}
