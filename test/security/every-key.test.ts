// A key opens exactly the doors of its scopes, in every process, from when it is made until it is revoked; and nobody
// can read it anywhere.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, revokeApiKey, SCOPES } from '../../src/jobs/api-key.ts';
import { isErrorOf, type Rig, startRig } from '../api/rig.ts';
import { type Door, doors, namedDoors } from './doors.ts';
import { readTables } from './everything.ts';

let rig: Rig;
const keys = new Map<string, string>();
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  for (const scopes of SCOPE_SETS) keys.set(scopes.join(), await rig.key(scopes));
});
afterAll(() => rig.stop());

/** Every set of scopes that a key can have. */
const SCOPE_SETS = [1, 2, 3, 4, 5, 6, 7].map((set) => SCOPES.filter((_scope, at) => (set >> at) % 2 === 1));

const call = (door: Door, options: { key: string | null; headers?: Record<string, string>; api?: Rig['api'] }) =>
  rig.call(door.method, door.address, { ...options, ...(door.body !== undefined && { body: door.body }) });

describe.each(namedDoors)('%s', (_name, door) => {
  const { scope } = door.endpoint;

  it(`opens to every key with ${scope}, and to no other set of scopes`, async () => {
    for (const scopes of SCOPE_SETS) {
      const { status, json } = await call(door, { key: keys.get(scopes.join()) ?? '' });
      const isOpen = scopes.includes(scope);
      expect([scopes, status === 403 && json.code === 'forbidden']).toEqual([scopes, !isOpen]);
      expect([scopes, status]).not.toEqual([scopes, 401]);
      if (!isOpen) expect(json.detail).toContain(`"${scope}"`);
    }
  });

  it('takes a key in the Authorization header and nowhere else', async () => {
    const key = keys.get(SCOPES.join()) ?? '';
    const basic = Buffer.from(`any:${key}`).toString('base64');
    const ways: Record<string, string>[] = [
      { Authorization: key },
      { Authorization: `Basic ${basic}` },
      { Authorization: `Bearer ${key} ${key}` },
      { Authorization: `Bearer ${key}x` },
      { Authorization: `Bearer ${key.slice(0, -1)}` },
      { Authorization: `Bearer ${key.toLowerCase()}` },
      { Authorization: `Bearer ${createHash('sha256').update(key).digest('hex')}` },
      { 'X-Api-Key': key },
      { Cookie: `remit_session=${key}` },
    ];
    for (const headers of ways) {
      const answer = await call(door, { key: null, headers });
      expect([headers, isErrorOf(answer)]).toEqual([headers, { status: 401, code: 'unauthorized' }]);
    }
    const inQuery = await rig.call(door.method, `${door.address}?key=${key}&access_token=${key}`, { key: null });
    expect(isErrorOf(inQuery)).toEqual({ status: 401, code: 'unauthorized' });
  });
});

describe('a key that is revoked', () => {
  it('is refused by every route, in each process, a second later at the latest', async () => {
    const { db } = rig.remit.app;
    const { key, keyId } = await createApiKey(db, { name: 'leaked', scopes: SCOPES });
    // Each has a memory of its own, as a process has.
    const processes = [rig.with({}), rig.with({})];
    for (const api of processes) expect((await rig.call('GET', '/v1/wallets', { key, api })).status).toBe(200);
    await revokeApiKey(db, keyId);
    const revokedAt = performance.now();
    await Promise.all(
      processes.map((api) =>
        expect.poll(async () => (await rig.call('GET', '/v1/wallets', { key, api })).status, POLL).toBe(401),
      ),
    );
    // One second of memory, and a look every 20 ms on a machine that may be busy.
    expect(performance.now() - revokedAt).toBeLessThan(1_000 + 1_500);
    for (const api of processes) {
      for (const door of doors) expect([door.name, (await call(door, { key, api })).status]).toEqual([door.name, 401]);
    }
  });

  it('takes no other key with it, so that one is replaced by the next without a gap', async () => {
    const { db } = rig.remit.app;
    const before = await createApiKey(db, { name: 'shop', scopes: ['read'] });
    const after = await createApiKey(db, { name: 'shop', scopes: ['read'] });
    for (const { key } of [before, after]) expect((await rig.call('GET', '/v1/wallets', { key })).status).toBe(200);
    await revokeApiKey(db, before.keyId);
    const read = async ({ key }: { key: string }) => (await rig.call('GET', '/v1/wallets', { key })).status;
    await expect.poll(() => read(before), POLL).toBe(401);
    expect(await read(after)).toBe(200);
  });
});

const POLL = { timeout: 5_000, interval: 20 } as const;

describe('what is kept of a key', () => {
  it('is its SHA-256, in one column, and no row of any table holds the key itself', async () => {
    const { db } = rig.remit.app;
    const { key, keyId } = await createApiKey(db, { name: 'kept', scopes: ['write'] });
    const body = { wallet_id: 'kept', owner_id: 'kept', kind: 'seller', currency: 'USD' };
    expect((await rig.call('POST', '/v1/wallets', { key, body })).status).toBe(201);
    const { rows } = await sql<{ hash: Buffer }>`SELECT hash FROM api_key WHERE key_id = ${keyId}`.execute(db.sql);
    expect(rows[0]?.hash.toString('hex')).toBe(createHash('sha256').update(key).digest('hex'));
    const found = (await readTables(db, 'public')).filter(({ row }) => row.includes(key));
    expect(found).toEqual([]);
  });
});
