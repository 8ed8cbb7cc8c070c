// Discrepancies over HTTP: who closed which, and why, stays readable.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { isErrorOf, type Rig, rowsOf, startRig } from './rig.ts';

const PATH = '/v1/discrepancies';
const ids = Array.from({ length: 7 }, () => randomUUID());
let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  // Two in each second, closer to each other than a cursor can tell.
  for (const [at, id] of ids.entries()) {
    const key = `odd-${at}`;
    const provider = at < 3 ? 'stripe' : 'tipalti';
    const seconds = Math.floor(at / 2) + at / 100_000;
    await sql`
      INSERT INTO discrepancy (discrepancy_id, reason, provider, operation_kind, pkid, semantic_key, extern_payment_id,
                               amount, currency, detail, opened_at)
      VALUES (${id}::uuid, 'paid_but_failed', ${provider}, 'payout', ${pkidOf('payout', key)}::uuid, ${key},
              ${`tr_${at}`}, ${100 + at}, 'USD', 'It was paid.',
              timestamptz '2026-01-31T12:00:00Z' + make_interval(secs => ${seconds}))`.execute(rig.remit.app.db.sql);
  }
});
afterAll(() => rig.stop());

it('one that is closed stays readable, with who closed it, why, and what it was about', async () => {
  const [id = ''] = ids;
  const open = await rig.get(`${PATH}/${id}`);
  expect(open.json).toMatchObject({ discrepancy_id: id, status: 'open', closed_by: null, closed_reason: null });
  const closed = await rig.post(`${PATH}/${id}/resolve`, { reason: 'Reversed there, ticket 4711' });
  expect(closed).toMatchObject({
    status: 200,
    json: { status: 'closed', kind: 'payout', pkid: pkidOf('payout', 'odd-0'), semantic_key: 'odd-0', amount: '100' },
  });
  expect((await rig.get(`${PATH}/${id}`)).json).toEqual(closed.json);
  expect(closed.json).toMatchObject({ closed_by: expect.any(String), closed_reason: 'Reversed there, ticket 4711' });
  const again = await rig.post(`${PATH}/${id}/resolve`, { reason: 'Another one' });
  expect(isErrorOf(again)).toEqual({ status: 409, code: 'invalid-state' });
  expect(again.json.detail).toContain(`GET ${PATH}/${id}`);
  expect(rowsOf(await rig.get(`${PATH}?status=closed`))).toEqual([closed.json]);
});

it('the list shows each once over its pages, newest first, and filters', async () => {
  const whole = rowsOf(await rig.get(PATH)).map((row) => row.discrepancy_id);
  expect([...whole].sort()).toEqual([...ids].sort());
  const seen: unknown[] = [];
  for (let cursor = ''; seen.length < ids.length; ) {
    const page = await rig.get(`${PATH}?limit=2${cursor}`);
    seen.push(...rowsOf(page).map((row) => row.discrepancy_id));
    cursor = `&cursor=${page.json.next_cursor}`;
  }
  expect(seen).toEqual(whole);
  const [, second, , fourth] = ids;
  expect(rowsOf(await rig.get(`${PATH}?extern_payment_id=tr_1`)).map((row) => row.discrepancy_id)).toEqual([second]);
  const tipalti = rowsOf(await rig.get(`${PATH}?provider=tipalti&status=open`)).map((row) => row.discrepancy_id);
  expect(new Set(tipalti)).toEqual(new Set(ids.slice(3)));
  const early = rowsOf(await rig.get(`${PATH}?created_lt=2026-01-31T12:00:02Z&provider=tipalti`));
  expect(early.map((row) => row.discrepancy_id)).toEqual([fourth]);
});

it('one that is not there is 404, and says where the open ones are listed', async () => {
  for (const answer of [
    await rig.get(`${PATH}/${randomUUID()}`),
    await rig.post(`${PATH}/${randomUUID()}/resolve`, { reason: 'x' }),
  ]) {
    expect(isErrorOf(answer)).toEqual({ status: 404, code: 'not-found' });
    expect(answer.json.detail).toContain(`GET ${PATH}?status=open`);
  }
});
