// Random faults lose answers, never money.

import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { bank, control, createPayment, freshFile, rows, start, stripeGet, transfer, until, type Wire } from './rig.ts';

const RATES = {
  error_before: 0.05,
  error_stored: 0.05,
  paid_then_500: 0.05,
  timeout_before: 0.03,
  paid_then_timeout: 0.03,
  paid_then_reset: 0.05,
  hidden: 0.03,
  html: 0.05,
  rate_limit: 0.05,
  slow: 0.02,
  decline: 0.05,
  insufficient: 0.05,
  pending: 0.05,
  pending_then_fail: 0.05,
  bounce: 0.05,
};
const PATIENCE_MS = 400; // shorter than `slow`, and what a call that is never answered costs

test('under all faults at once an operation that is repeated moves its money at most once', async () => {
  const file = freshFile();
  const sandbox = await start(file.path);
  await control(sandbox, 'POST', '/faults', { seed: 11, rates: RATES });
  const isFinal = ({ status, json }: Wire) =>
    status === 400 || status === 402 || (status === 200 && json?.status !== 'pending') || status === 500;

  const payByStripe = async () => {
    const key = randomUUID();
    const call = { key, destination: 'acct_ok_1' };
    const last = await until(() => transfer(sandbox, { ...call, giveUp: AbortSignal.timeout(PATIENCE_MS) }), isFinal);
    const found = await until(
      () => stripeGet(sandbox, `/v1/transfers?transfer_group=${key}`),
      (answer) => answer.json.data.length === rows(sandbox, key).filter((row) => row.direction === 'out').length,
    );
    return { last, found: found.json.data.length };
  };
  const payByBank = async () => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key, destination: 'acct_ok_1' });
    const step = randomUUID();
    const confirm = () => {
      const giveUp = AbortSignal.timeout(PATIENCE_MS);
      return bank(sandbox, 'POST', `/payments/${id}/confirm`, { key: step, body: {}, giveUp });
    };
    const last = await until(confirm, isFinal);
    const out = rows(sandbox, key).filter((row) => row.direction === 'out');
    return { last, found: out.length };
  };

  const outcomes = await Promise.all(
    Array.from({ length: 80 }, (_, index) => (index % 2 ? payByBank() : payByStripe())),
  );
  for (const { last, found } of outcomes) {
    // A 500 proves nothing by itself; every other final answer says what the book says.
    if (last.status === 500) expect([0, 1]).toContain(found);
    else expect(found).toBe(last.status === 200 ? 1 : 0);
  }
  expect(new Set(outcomes.map(({ last }) => last.status))).toEqual(new Set([200, 400, 402, 500]));
  const moved = sandbox.book().filter((row) => row.direction === 'out');
  expect(new Set(moved.map((row) => row.key)).size).toBe(moved.length);
  await sandbox.close();
  file.remove();
});
