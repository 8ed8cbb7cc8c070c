// A job that the queue has given up says nothing about its operation. Nobody can start it again by hand: the row is
// asked instead, its own rules decide whether anything runs, and money moves once whatever was tried before.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobIdOf, pkidOf } from '../../src/domain/id.ts';
import { startWorkers } from '../../src/jobs/worker.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { isErrorOf, type Rig, rowsOf, startRig } from '../api/rig.ts';
import { until } from '../harness/until.ts';
import { BOARD, basic, type Server, withPages } from './pages.ts';

const KEY = 'dead-1';
const PKID = pkidOf('payout', KEY);
const JOB = jobIdOf('payout', KEY);
const PAYOUT = { wallet_id: 'dead-seller', amount: '1000', currency: 'USD', provider: 'stripe' };

let rig: Rig;
let server: Server;
let workers: Awaited<ReturnType<typeof startWorkers>>;
beforeAll(async () => {
  // Leases so long that nothing here runs because its time has come.
  rig = await startRig({ LEASE_MS: '600000', PROVIDER_TIMEOUT_MS: '900' }, { withWorkers: false });
  const { app } = rig.remit;
  server = withPages(rig);
  workers = await startWorkers({ ...app, log: silentLogger(), onRun: () => {} });
  await rig.post('/v1/wallets', { wallet_id: 'dead-seller', owner_id: 'dead-seller', kind: 'seller', currency: 'USD' });
  const funds = {
    semantic_key: 'dead-funds',
    wallet_id: 'dead-seller',
    amount: '9000',
    currency: 'USD',
    reason: 'funds',
  };
  await rig.post('/v1/adjustments', funds);
});
afterAll(async () => {
  await workers.close(2_000);
  await rig.stop();
});

const stateOf = async () => (await queueOf().getJob(JOB))?.getState();
const movements = () => rig.remit.sandbox.book().filter(({ key, direction }) => key === PKID && direction === 'out');
const callsOf = async () =>
  rowsOf(await rig.get(`/v1/payouts/${KEY}/timeline`)).filter(({ type }) => type === 'provider_call').length;

function queueOf() {
  const queue = rig.remit.app.queues.board().find(({ name }) => name === 'payout');
  if (queue === undefined) throw new Error('There is no queue of payouts.');
  return queue;
}

describe('a job that is dead', () => {
  beforeAll(async () => {
    // It names no operation, which is a defect and is not tried again.
    await rig.remit.app.queues.add('payout', [{ id: JOB, data: { pkid: 'nonsense' } }]);
    await until(stateOf, (state) => state === 'failed');
    await rig.post('/v1/payouts', { ...PAYOUT, semantic_key: KEY, destination: 'acct_never_1', confirm: true });
    await rig.remit.app.payouts.run(PKID);
  });

  it('is not started by another request under the same key, nor by whoever adds it again', async () => {
    const body = { ...PAYOUT, semantic_key: KEY, destination: 'acct_never_1', confirm: true };
    expect((await rig.post('/v1/payouts', body)).headers.get('Idempotency-Replayed')).toBe('true');
    await rig.remit.app.queues.add('payout', [{ id: JOB, data: { pkid: PKID } }]);
    expect(await stateOf()).toBe('failed');
    expect(await callsOf()).toBe(1);
  });

  it.each([
    ['PUT', `/api/queues/payout/${JOB}/retry/failed`],
    ['PUT', `/api/queues/payout/${JOB}/retry`],
    ['PUT', '/api/queues/payout/retry/failed'],
    ['PUT', `/api/queues/payout/${JOB}/promote`],
    ['POST', '/api/queues/payout/add'],
    ['DELETE', `/api/queues/payout/${JOB}`],
  ])('is not started from the board: %s %s', async (method, path) => {
    const headers = { ...basic(await rig.key(['operate'])), 'Content-Type': 'application/json' };
    const origin = { Origin: 'http://localhost', 'Sec-Fetch-Site': 'same-origin' };
    const answer = await server.request(`${BOARD}${path}`, { method, headers: { ...headers, ...origin }, body: '{}' });
    expect(answer.status).toBe(405);
    expect(await stateOf()).toBe('failed');
    expect(await callsOf()).toBe(1);
  });

  it('does not keep its operation from being asked about, which is how it goes on', async () => {
    expect((await rig.get(`/v1/payouts/${KEY}`)).json).toMatchObject({ status: 'in_process', attempts: 1 });
    expect((await rig.post(`/v1/payouts/${KEY}/query`)).status).toBe(202);
    await rig.remit.app.reconcile.round();
    await until(callsOf, (calls) => calls === 2);
    const items = rowsOf(await rig.get(`/v1/payouts/${KEY}/timeline`));
    expect(items.filter(({ type }) => type === 'review_action')).toMatchObject([{ action: 'query' }]);
    expect(await stateOf()).toBe('failed');
    expect(movements()).toHaveLength(0);
  });
});

describe("a query obeys the row's own rules", () => {
  const ask = async (key: string) => isErrorOf(await rig.post(`/v1/payouts/${key}/query`));
  const request = (key: string, more: object) => rig.post('/v1/payouts', { ...PAYOUT, semantic_key: key, ...more });

  it('of what was never sent it starts nothing', async () => {
    await request('dead-rest', { destination: 'acct_ok_1' });
    expect(await ask('dead-rest')).toEqual({ status: 409, code: 'invalid-state' });
    expect((await rig.get('/v1/payouts/dead-rest')).json).toMatchObject({ status: 'initialized', attempts: 0 });
  });

  it('of what has succeeded it pays nothing again, however often and by how many at once', async () => {
    await request('dead-done', { destination: 'acct_ok_1', confirm: true });
    await until(
      async () => (await rig.get('/v1/payouts/dead-done')).json.status,
      (status) => status === 'succeeded',
    );
    await Promise.all(Array.from({ length: 10 }, () => ask('dead-done')));
    await rig.remit.app.reconcile.round();
    const pkid = pkidOf('payout', 'dead-done');
    expect(rig.remit.sandbox.book().filter(({ key }) => key === pkid)).toHaveLength(1);
    expect((await rig.get('/v1/payouts/dead-done')).json).toMatchObject({ status: 'succeeded', attempts: 1 });
  });

  it('of what has failed it pays nothing after all', async () => {
    await request('dead-no', { destination: 'acct_decline_1', confirm: true });
    await until(
      async () => (await rig.get('/v1/payouts/dead-no')).json.status,
      (status) => status === 'failed',
    );
    expect((await ask('dead-no')).status).toBe(202);
    await rig.remit.app.reconcile.round();
    expect((await rig.get('/v1/payouts/dead-no')).json).toMatchObject({ status: 'failed', attempts: 1 });
    expect(rig.remit.sandbox.book().filter(({ key }) => key === pkidOf('payout', 'dead-no'))).toEqual([]);
  });

  it('of a transfer there is none, because nobody outside knows of it', async () => {
    expect(isErrorOf(await rig.post('/v1/transfers/any/query'))).toEqual({ status: 404, code: 'not-found' });
  });
});
