// Disputes at Square: through their life in the sandbox, and each state of them.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LocalServer, serveText } from './local-server.ts';
import { errorFrom } from './outcome.ts';
import {
  idOf,
  LIMITS,
  money,
  openSquare,
  payinOf,
  referenceOf,
  type SquareRig,
  squareAt,
  until,
} from './square-rig.ts';

const open: LocalServer[] = [];

let rig: SquareRig;
beforeAll(async () => {
  rig = await openSquare();
});
afterAll(async () => {
  await rig.close();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

describe.concurrent('a dispute', () => {
  test.each(['won', 'lost'])('is found by the id of its event while it is open, and when it is %s', async (last) => {
    const order = payinOf(`tok_dispute_${last}`);
    const payinExternId = idOf(await rig.payin.send(order, LIMITS));
    await rig.payin.confirm(referenceOf(order, payinExternId), LIMITS);
    const seen = new Set<string>();
    const view = await until(
      async () => {
        const about = rig.events.filter(({ subject }) => subject === 'dispute');
        const views = await Promise.all(
          about.map(({ externId }) => rig.provider.findDispute?.(externId ?? '', LIMITS)),
        );
        const found = views.find((one) => one?.payinExternId === payinExternId) ?? null;
        if (found !== null) seen.add(found.status);
        return found;
      },
      (found) => found?.status === last,
    );
    expect(view).toMatchObject({ payinPkid: null, money: money(1500n), fee: null, evidenceDue: expect.any(Date) });
    expect([...seen]).toEqual(['open', last]);
  });

  test('that Square does not know is null', async () => {
    expect(await rig.provider.findDispute?.('dp_no', LIMITS)).toBeNull();
  });
});

describe('the state of a dispute', () => {
  const dispute = { id: 'D_1', amount_money: { amount: 5, currency: 'USD' }, disputed_payment: { payment_id: 'P_1' } };

  test.each([
    ['EVIDENCE_REQUIRED', 'open', 0],
    ['PROCESSING', 'open', 0],
    ['WON', 'won', 0],
    ['LOST', 'lost', 0],
    ['ACCEPTED', 'lost', 0],
    ['A_NEW_ONE', 'open', 1],
  ])('%s is %s', async (state, status, warned) => {
    const server = await serveText(200, JSON.stringify({ dispute: { ...dispute, state } }));
    open.push(server);
    const { provider, warnings } = squareAt(server.url);
    expect(await provider.findDispute?.('D_1', LIMITS)).toMatchObject({ externId: 'D_1', status, evidenceDue: null });
    expect(warnings).toHaveLength(warned);
  });

  test.each(['INQUIRY_EVIDENCE_REQUIRED', 'INQUIRY_PROCESSING', 'INQUIRY_CLOSED'])(
    '%s is an inquiry, which takes no money',
    async (state) => {
      const server = await serveText(200, JSON.stringify({ dispute: { ...dispute, state } }));
      open.push(server);
      const { provider, warnings } = squareAt(server.url);
      expect(await provider.findDispute?.('D_1', LIMITS)).toBeNull();
      expect(warnings).toMatchObject([{ fields: { status: state } }]);
    },
  );

  test('is not guessed from an answer of another shape or a refusal', async () => {
    for (const [status, body] of [
      [200, { dispute }],
      [400, refusal('BAD_REQUEST')],
      [404, refusal('NOT_FOUND')],
    ] as const) {
      const server = await serveText(status, JSON.stringify(body));
      open.push(server);
      const error = await errorFrom(Promise.resolve(squareAt(server.url).provider.findDispute?.('D_1', LIMITS)));
      expect(error.code).toBe('uncertain');
    }
  });
});

function refusal(code: string) {
  return { errors: [{ category: 'INVALID_REQUEST_ERROR', code, detail: 'No.' }] };
}
