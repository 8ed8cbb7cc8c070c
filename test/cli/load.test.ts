// The load tool as a person runs it, against a whole remit over HTTP; and its judgement of servers that misbehave.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listener, listen } from '../../src/api/listen.ts';
import { playLoad } from '../../src/cli/load.ts';
import { createLoadClient } from '../../src/cli/load-client.ts';
import { createLatency } from '../../src/cli/load-latency.ts';
import { runOperation } from '../../src/cli/load-operation.ts';
import { arrivalOf, arrivalsIn, type LoadPlan, parseMix } from '../../src/cli/load-plan.ts';
import { loadSummary } from '../../src/cli/load-tally.ts';
import type { Scope } from '../../src/jobs/api-key.ts';
import { type Rig, startRig } from '../api/rig.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Two starts of a process, on a busy machine. */
const COMMAND_TIMEOUT_MS = 60_000;
const PLAN: LoadPlan = {
  runId: 'r1',
  perSecond: 100,
  seconds: 2,
  mix: { transfers: 0.7, payouts: 0.3 },
  wallets: 7,
  provider: 'demobank',
  finalWithinMs: 20_000,
};

describe('against a running remit', () => {
  let rig: Rig;
  let listener: Listener;
  let url: string;
  beforeAll(async () => {
    rig = await startRig();
    listener = await listen({ host: '127.0.0.1', port: 0, portAsked: true });
    listener.serve((request) => rig.api.fetch(request));
    url = `http://127.0.0.1:${listener.port}`;
  });
  afterAll(async () => {
    await listener.close();
    await rig.stop();
  });
  const load = async (plan: Partial<LoadPlan>, scopes: readonly Scope[] = ['read', 'write', 'operate']) => {
    const said: string[] = [];
    const screen = { write: (text: string) => void said.push(text) };
    const report = await playLoad({ ...PLAN, ...plan }, { url, key: await rig.key(scopes), screen });
    return { report, said: said.join('') };
  };

  it('every operation is followed to its end, and the books have exactly as many', async () => {
    const { report, said } = await load({ runId: 'whole', mix: { transfers: 0.75, payouts: 0.25 }, perSecond: 60 });
    expect(report).toMatchObject({ ok: true, run: 'whole', rate: 60, errors: {} });
    expect(report.kinds.transfers).toMatchObject({ sent: 90, succeeded: 90, failed: 0, late: 0, lost: 0 });
    expect(report.kinds.payouts).toMatchObject({ sent: 30, succeeded: 30 });
    expect(said).toMatch(/120 sent {2}120 final {2}0 open {2}0 not well/);
    expect(loadSummary(report)).toMatch(/transfers +90 +90 +0[\s\S]*Everything that was sent succeeded/);
    const { rows } = await sql<{ kind: string; status: string; count: number }>`
      SELECT 'payout' AS kind, status, count(*)::int AS count FROM payout GROUP BY status
      UNION ALL SELECT 'transfer', status, count(*)::int FROM transfer GROUP BY status
      ORDER BY kind`.execute(rig.remit.app.db.sql);
    expect(rows).toEqual([
      { kind: 'payout', status: 'succeeded', count: 30 },
      { kind: 'transfer', status: 'succeeded', count: 90 },
    ]);
    expect((await rig.remit.app.audit()).ok).toBe(true);
  });

  it('a key that may not fund wallets is told which scopes it needs', async () => {
    await expect(load({ runId: 'poor' }, ['read', 'write'])).rejects.toThrow(/scopes read, write and operate/);
  });

  it('what is refused is counted by its code, and the load is not well', async () => {
    const refused = { runId: 'refused', provider: 'square', mix: { transfers: 0, payouts: 1 }, seconds: 0.05 };
    const { report } = await load(refused);
    expect(report).toMatchObject({ ok: false, kinds: { payouts: { sent: 5, refused: 5 } } });
    expect(loadSummary(report)).toMatch(/5 x refused: \S+[\s\S]*Not everything succeeded/);
  });

  it('where nothing answers, the way out is named', async () => {
    const screen = { write: () => {} };
    const nowhere = playLoad(PLAN, { url: 'http://127.0.0.1:9', key: 'key', screen });
    await expect(nowhere).rejects.toThrow(/Nothing answers at .+npm start/);
  });

  it('the command finds the key of the data folder, prints JSON, and refuses to run without a key', {
    timeout: COMMAND_TIMEOUT_MS,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'remit-load-test-'));
    const options = ['--url', url, '--rate', '20', '--seconds', '0.5', '--mix', 'transfers=1', '--wallets', '2'];
    const without = await run([...options, '--json'], folder);
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('Give --key') });
    writeFileSync(join(folder, 'bootstrap-key'), `${await rig.key(['read', 'write', 'operate'])}\n`);
    const { code, stdout } = await run([...options, '--json'], folder);
    rmSync(folder, { recursive: true, force: true });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, kinds: { transfers: { sent: 10, succeeded: 10 } } });
    expect(code).toBe(0);
  });
});

describe('a server that misbehaves', () => {
  it.each([
    {
      promise: 'an operation that is not known any more was lost',
      answers: [accepted('in_process'), problem(404, 'not-found')],
      outcome: { type: 'lost' },
      errors: [],
    },
    {
      promise: 'one that is not final in time is late',
      answers: [accepted('in_process')],
      outcome: { type: 'late', code: 'in_process' },
      errors: [],
    },
    {
      promise: 'a moment without a server is sat out with the same key, and counted',
      answers: [problem(503, 'unavailable'), accepted('succeeded')],
      outcome: { type: 'succeeded' },
      errors: ['unavailable'],
    },
    {
      promise: 'a failure is named by its code',
      answers: [accepted('failed', 'declined')],
      outcome: { type: 'failed', code: 'declined' },
      errors: [],
    },
    {
      promise: 'a refusal is named by its code',
      answers: [problem(422, 'key-reused')],
      outcome: { type: 'refused', code: 'key-reused' },
      errors: [],
    },
  ])('$promise', async ({ answers, outcome, errors }) => {
    let asked = 0;
    const server = createServer((request: IncomingMessage, response: ServerResponse) => {
      request.resume();
      const { status, body } = answers[Math.min(asked, answers.length - 1)] ?? { status: 500, body: {} };
      asked += 1;
      // As slow as a server that waits, so that nobody spins.
      setTimeout(() => response.writeHead(status).end(JSON.stringify(body)), 20);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const client = createLoadClient({ url: `http://127.0.0.1:${port}/`, key: 'key' });
    const seen: string[] = [];
    // Only what never ends should wait for it.
    const deadline = performance.now() + (outcome.type === 'late' ? 600 : 20_000);
    const run = { client, deadline, onError: (code: string) => void seen.push(code) };
    expect(await runOperation(arrivalOf(PLAN, 0), run)).toEqual(outcome);
    expect(seen).toEqual(errors);
    client.close();
    server.close();
  });
});

describe('the plan', () => {
  it('shares are met and spread, keys differ, and no wallet pays itself', () => {
    const arrivals = Array.from({ length: arrivalsIn(PLAN) }, (_, number) => arrivalOf(PLAN, number));
    expect(arrivals).toHaveLength(200);
    expect(new Set(arrivals.map(({ key }) => key)).size).toBe(200);
    expect(arrivals.filter(({ kind }) => kind === 'payouts')).toHaveLength(60);
    expect(arrivals.slice(0, 20).filter(({ kind }) => kind === 'payouts')).toHaveLength(6);
    expect(
      arrivals.filter(({ body }) => body.from_wallet !== undefined && body.from_wallet === body.to_wallet),
    ).toEqual([]);
    expect(arrivals.at(-1)?.dueMs).toBe(1_990);
  });

  it.each(['refunds=1', 'transfers=2', 'transfers=0.7', 'transfers=-1,payouts=2'])('%s is no mix', (text) => {
    expect(() => parseMix(text)).toThrow(/sum to 1, such as transfers=0.7,payouts=0.3/);
  });

  it.each(['transfers=0.7,payouts=0.3', 'payouts=1', 'transfers=.5, payouts=.5'])('%s is a mix', (text) => {
    const { transfers, payouts } = parseMix(text);
    expect(transfers + payouts).toBeCloseTo(1);
  });
});

describe('a latency histogram', () => {
  it('gives quantiles at most two per cent too high, and the exact maximum', () => {
    const latency = createLatency();
    for (let ms = 1; ms <= 1_000; ms += 1) latency.record(ms);
    for (const q of [0.5, 0.95, 0.99]) {
      const found = latency.quantile(q) ?? 0;
      expect(found).toBeGreaterThanOrEqual(q * 1_000);
      expect(found).toBeLessThanOrEqual(q * 1_000 * 1.021);
    }
    expect([latency.count(), latency.max(), latency.quantile(1)]).toEqual([1_000, 1_000, 1_000]);
  });

  it('has no quantile of nothing', () => {
    expect([createLatency().quantile(0.5), createLatency().max()]).toEqual([null, null]);
  });
});

function accepted(status: string, failure?: string) {
  return { status: 202, body: { status, failure: failure === undefined ? null : { code: failure } } };
}

function problem(status: number, code: string) {
  return { status, body: { status, code, detail: 'no' } };
}

async function run(args: readonly string[], folder: string) {
  const env = { PATH: process.env.PATH, REMIT_DATA_DIR: folder };
  return promisify(execFile)(process.execPath, [main, 'load', ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}
