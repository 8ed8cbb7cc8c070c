// Whatever is wrong with a body is refused by the failure model's code for it, on every route that takes one, and
// leaves nothing behind.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/domain/errors.ts';
import { type Json, type Rig, startRig } from '../api/rig.ts';
import { BY_PATTERN, type Change, changesOf } from './bad-values.ts';
import { bodyTakers, type Door } from './doors.ts';
import { membersIn, resolved, type Schema, withValue } from './schema.ts';

let rig: Rig;
let before: readonly unknown[];
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  before = await countRows();
});
afterAll(() => rig.stop());

const takers = bodyTakers().map((door) => [door.name, door, schemaOf(door)] as const);

describe.each(takers)('%s', (_name, door, schema) => {
  it('refuses every bad value at every place of its body', async () => {
    const changes = changesOf(schema, { isNamed: door.endpoint.isNamed });
    expect(changes.length).toBeGreaterThan(door.batchOf === null ? 20 : 10);
    const wrong = [];
    for (const change of changes) {
      const { status, json } = await rig.post(door.address, withValue(door.body, schema, change));
      if (json.code !== change.code || status !== ERRORS[change.code].status)
        wrong.push(told(change, { status, json }));
    }
    expect(wrong).toEqual([]);
  });
});

describe.each(takers.filter(([, { batchOf }]) => batchOf !== null))('an item of %s', (_name, door) => {
  it('is refused for every bad value at every place of it, and only this item', async () => {
    const items = door.batchOf ?? '';
    const itemSchema = resolved(resolved(resolved(door.schema ?? {}).properties?.[items] ?? {}).items ?? {});
    const changes = changesOf(itemSchema, { isNamed: true });
    expect(changes.length).toBeGreaterThan(20);
    const [good]: unknown[] = Object(door.body)[items];
    const body = { [items]: changes.map((change) => withValue(good, itemSchema, change)) };
    const { status, json } = await rig.post(door.address, body);
    expect(status).toBe(202);
    const results = Array.isArray(json.results) ? json.results : [];
    const wrong = changes.flatMap((change, at) => {
      const { problem } = results[at];
      return problem?.code === change.code ? [] : [told(change, { status: problem?.status, json: problem ?? {} })];
    });
    expect(wrong).toEqual([]);
    expect(results).toHaveLength(changes.length);
  });
});

it('nothing of all that was kept, and no object got a member by it', async () => {
  expect(await countRows()).toEqual(before);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

it('every pattern of the table stands for some place', () => {
  const patterns = new Set(takers.flatMap(([, , schema]) => membersIn(schema)).map((place) => place.schema.pattern));
  expect(Object.keys(BY_PATTERN).filter((pattern) => !patterns.has(pattern))).toEqual([]);
});

/** Items of a batch are judged one by one, so that a batch itself has one member only. */
function schemaOf({ schema, batchOf }: Door): Schema {
  if (schema === null) throw new TypeError('Only routes that take a body are looked at.');
  if (batchOf === null) return schema;
  const { items: _, ...list } = resolved(resolved(schema).properties?.[batchOf] ?? {});
  return { ...resolved(schema), properties: { [batchOf]: list } };
}

function told(change: Change, { status, json }: { status: unknown; json: Json }) {
  return { what: change.what, wanted: change.code, status, code: json.code, detail: json.detail };
}

/** Of every table, but not those of the queue. */
async function countRows(): Promise<readonly unknown[]> {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`.execute(
    rig.remit.app.db.sql,
  );
  const counts = tables.map(({ name }) => `SELECT '${name}' AS name, count(*)::int AS count FROM ${name}`);
  return (await sql.raw<object>(counts.join(' UNION ALL ')).execute(rig.remit.app.db.sql)).rows;
}
