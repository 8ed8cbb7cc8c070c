// Anybody can send to the address where providers send their events: nothing of what a stranger says is kept.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDERS } from '../../src/domain/provider.ts';
import { type Rig, startRig } from '../api/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
});
afterAll(() => rig.stop());

const NOW = String(Math.floor(Date.now() / 1000));
const HEX = '0'.repeat(64);
const BASE64 = Buffer.alloc(32).toString('base64');
const EVENT = { id: 'evt_1', event_id: 'evt_1', type: 'transfer.created', data: { object: { id: 'tr_1' } } };

/** Signatures of every provider at once: each looks at its own. */
const SIGNED: Record<string, Record<string, string>> = {
  'no signature': {},
  'empty signatures': signatures('', ''),
  'signatures that are none': signatures('x', 'x'),
  'signatures of the right shape': signatures(`t=${NOW},v1=${HEX}`, BASE64),
  'signatures without a time': signatures(`v1=${HEX}`, BASE64),
  'many signatures': signatures(`t=${NOW}${`,v1=${HEX}`.repeat(100)}`, BASE64.repeat(100)),
  'a time that is none': signatures(`t=NaN,v1=${HEX}`, BASE64),
};

function signatures(stripe: string, other: string): Record<string, string> {
  return {
    'Stripe-Signature': stripe,
    'Demobank-Signature': stripe,
    'X-Square-Hmacsha256-Signature': other,
    'PayPal-Transmission-Sig': other,
    'PayPal-Transmission-Id': 'id',
    'PayPal-Transmission-Time': new Date().toISOString(),
    'PayPal-Auth-Algo': 'SHA256withRSA',
    'PayPal-Cert-Url': 'https://elsewhere.example/v1/notifications/certs/CERT-1',
    'webhook-id': 'evt_1',
    'webhook-timestamp': NOW,
    'webhook-signature': `v1,${other}`,
  };
}

const BODIES = [JSON.stringify(EVENT), '', '{', '[]', 'null', '5', '\0', `${'['.repeat(20_000)}`, 'c_payment=1&type=x'];

describe.each(PROVIDERS)('an event under the name of %s', (provider) => {
  it.each(Object.entries(SIGNED))('with %s is refused, whatever it says', async (_what, headers) => {
    for (const body of BODIES) {
      const answer = await rig.call('POST', `/webhooks/${provider}`, { key: null, body, headers });
      expect([body.slice(0, 40), [400, 401, 422].includes(answer.status)]).toEqual([body.slice(0, 40), true]);
    }
  });
});

it('nothing of all that was kept or queued', async () => {
  const { rows } = await sql<{ kept: number }>`SELECT count(*)::int AS kept FROM provider_event`.execute(
    rig.remit.app.db.sql,
  );
  expect(rows).toEqual([{ kept: 0 }]);
  const { 'webhook-in': events } = await rig.remit.app.queues.counts();
  expect(events).toMatchObject({ waiting: 0, active: 0, delayed: 0, failed: 0 });
});
