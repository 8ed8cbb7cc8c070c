// The table of queues: all are opened, and job ids cannot disturb them.

import { describe, expect, test } from 'vitest';
import { lockDurationMs, QUEUE_NAMES, QUEUES, webhookJobId } from '../../src/jobs/queues.ts';

describe('the table of queues', () => {
  test.each(QUEUE_NAMES)('a job of %s stays locked for longer than a provider may take', (name) => {
    expect(QUEUES[name].lockDurationMs).toBeGreaterThanOrEqual(60_000);
    expect(lockDurationMs(name, { providerTimeoutMs: 90_000 })).toBeGreaterThan(90_000);
    expect(QUEUES[name].purpose).toMatch(/\.$/);
  });

  test('every queue is opened', () => {
    expect([...QUEUE_NAMES].sort()).toEqual(Object.keys(QUEUES).sort());
  });
});

test.each([
  ['evt_1A', 'webhook-stripe-evt_1A'],
  ['12345', 'webhook-stripe-12345'],
  ['WH-7:8', 'webhook-stripe-WH-7~8'],
  ['a~b', 'webhook-stripe-a%7eb'],
  ['a b\0ü', 'webhook-stripe-a%20b%0%fc'],
])('the event id %j makes a job id that the queue can hold', (eventId, jobId) => {
  expect(webhookJobId('stripe', eventId)).toBe(jobId);
});
