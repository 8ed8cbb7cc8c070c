// The load tool as a person runs it, against a whole remit over HTTP; and its judgement of servers that misbehave.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listener, listen } from '../../src/api/listen.ts';
import { type App, registerGauges } from '../../src/app.ts';
import { playLoad } from '../../src/cli/load.ts';
import { createLoadClient } from '../../src/cli/load-client.ts';
import { runOperation } from '../../src/cli/load-operation.ts';
import { arrivalOf, arrivalsIn, type LoadPlan, parseMix } from '../../src/cli/load-plan.ts';
import { loadSummary } from '../../src/cli/load-tally.ts';
import { lookAtTarget } from '../../src/cli/load-target.ts';
import { openLoadWallets } from '../../src/cli/load-wallets.ts';
import type { Scope } from '../../src/jobs/api-key.ts';
import { providerOf } from '../../src/jobs/provider-of.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { type Rig, startRig } from '../api/rig.ts';
import { runCommand, runUnread } from '../harness/command.ts';

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
    listener = await serveWith(rig.remit.app.providers);
    url = `http://127.0.0.1:${listener.port}`;
  });
  afterAll(async () => {
    await listener.close();
    await rig.stop();
  });
  /** The same books behind an API that says of these providers whether they are live. */
  async function serveWith(providers: App['providers']): Promise<Listener> {
    const metrics = createMetrics();
    registerGauges({ ...rig.remit.app, metrics, providers });
    const api = rig.with({ metrics });
    const opened = await listen({ host: '127.0.0.1', port: 0, portAsked: true });
    opened.serve((request) => api.fetch(request));
    return opened;
  }
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
    expect(said).toContain(
      '- makes 7 wallets, load:whole:wallet:0 and so on, and funds each with 1.21 USD from @equity:USD',
    );
    expect(said).toContain(
      '- sends 120 operations in 2 s, payouts through demobank; all of it stays in the books there',
    );
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
    await expect(load({ runId: 'blind' }, ['operate'])).rejects.toThrow(/scopes read, write and operate/);
  });

  it('what is refused is counted by its code, and the load is not well', async () => {
    const plan = { runId: 'refused', mix: { transfers: 0, payouts: 1 }, seconds: 0.05 };
    expect((await load(plan)).report.ok).toBe(true);
    const { report } = await load({ ...plan, provider: 'stripe' });
    expect(report).toMatchObject({ ok: false, kinds: { payouts: { sent: 5, refused: 5 } } });
    expect(loadSummary(report)).toMatch(/5 x refused: key-reused[\s\S]*Not everything succeeded/);
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
    const env = { REMIT_DATA_DIR: folder };
    const run = (more: readonly string[]) => runCommand(['load', ...options, ...more], { env });
    const without = await run(['--json']);
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('Give --key') });
    writeFileSync(join(folder, 'bootstrap-key'), `${await rig.key(['read', 'write', 'operate'])}\n`);
    const { code, stdout } = await run(['--json']);
    const wrong = await run(['--provider', 'foo']);
    writeFileSync(join(folder, 'bootstrap-key'), 'secret word');
    const spoilt = await run([]);
    rmSync(folder, { recursive: true, force: true });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, kinds: { transfers: { sent: 10, succeeded: 10 } } });
    expect(code).toBe(0);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Allowed choices are stripe, paypal,') });
    expect(spoilt).toMatchObject({ code: 2, stderr: expect.stringMatching(/holds no key.*delete the file/) });
    expect(spoilt.stderr).not.toContain('secret word');
  });

  it('the command ends with whoever reads it, and sends nothing', async () => {
    const before = await walletsMade();
    const key = await rig.key(['read', 'write', 'operate']);
    const options = ['--url', url, '--rate', '1', '--seconds', '60', '--key', key];
    expect(await runUnread('stderr', ['load', ...options])).toEqual({ code: 1, heard: '' });
    // Those that were on their way may still be made; a run that goes on makes a hundred.
    expect((await walletsMade()) - before).toBeLessThan(100);
  });

  describe('that says where its money is real', () => {
    let [live, plain, silent]: Listener[] = [];
    beforeAll(async () => {
      const stripe = providerOf(rig.remit.app.providers, 'stripe');
      live = await serveWith(new Map([['stripe', { ...stripe, live: true }]]));
      plain = await serveWith(new Map([['stripe', stripe]]));
      silent = await serveWith(new Map());
    });
    afterAll(() => Promise.all([live, plain, silent].map((one) => one?.close())));

    const play = async (served: Listener | undefined, provider: string, isLiveMeant = false) => {
      const port = served?.port;
      const key = await rig.key(['read', 'write', 'operate']);
      const said: string[] = [];
      const plan = { ...PLAN, runId: `${port}-${provider}`, provider, seconds: 0.1 };
      const screen = { write: (text: string) => void said.push(text) };
      const report = await playLoad(plan, { url: `http://127.0.0.1:${port}`, key, screen, isLiveMeant });
      return { report, said: said.join('') };
    };

    it('live accounts are not loaded, and nothing is made, unless that is meant', async () => {
      const before = await walletsMade();
      await expect(play(live, 'stripe')).rejects.toThrow(/live accounts \(stripe\).*Nothing.*--yes/);
      await expect(play(silent, 'stripe')).rejects.toThrow(/does not say whether .* live.*Nothing.*--yes/);
      expect(await walletsMade()).toBe(before);
      const { report, said } = await play(live, 'stripe', true);
      expect(report.ok).toBe(true);
      expect(said).toContain('which has live accounts (stripe):');
    });

    it('a provider that is not there is refused before anything is made', async () => {
      const before = await walletsMade();
      await expect(play(plain, 'demobank')).rejects.toThrow(
        /^Nobody called demobank pays out .*nothing was made\. Give --provider with one of: stripe, or --mix/,
      );
      expect(await walletsMade()).toBe(before);
      expect((await play(plain, 'stripe')).said).toContain('which has no live accounts:');
    });
  });

  async function walletsMade(): Promise<number> {
    const { rows } = await sql<{ count: number }>`
      SELECT count(*)::int AS count FROM wallet WHERE wallet_id NOT LIKE '@%'`.execute(rig.remit.app.db.sql);
    return rows[0]?.count ?? 0;
  }
});

describe('what is no remit', () => {
  it.each([
    { promise: 'is told as such', answers: true, said: /is no remit \(404\).*with --url\.$/ },
    { promise: 'and does not answer is given up', answers: false, said: /does not answer.*readyz.*with --url\.$/ },
  ])('$promise', async ({ answers, said }) => {
    const server = createServer((_request, response) => void (answers && response.writeHead(404).end('<html>')));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${Object(server.address()).port}`;
    const client = createLoadClient({ url, key: 'key', patienceMs: answers ? 10_000 : 100 });
    await expect(lookAtTarget(client, url)).rejects.toThrow(said);
    client.close();
    server.close();
  });
});

describe('a server that misbehaves', () => {
  it('and leaves the making of a wallet unanswered is told with what to do', async () => {
    const server = createServer((request) => void request.resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${Object(server.address()).port}`;
    const client = createLoadClient({ url, key: 'key', patienceMs: 100 });
    await expect(openLoadWallets(client, PLAN)).rejects.toThrow(
      /^Could not make a wallet: no answer in time\. .*start again/,
    );
    client.close();
    server.close();
  });

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
    const client = createLoadClient({ url: `http://127.0.0.1:${Object(server.address()).port}/`, key: 'key' });
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

function accepted(status: string, failure?: string) {
  return { status: 202, body: { status, failure: failure === undefined ? null : { code: failure } } };
}

function problem(status: number, code: string) {
  return { status, body: { status, code, detail: 'no' } };
}
