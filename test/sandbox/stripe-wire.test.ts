// The sandbox speaks Stripe as the specification and the official SDK expect it.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { freshFile, officialClient, rows, send, start, stripeGet, stripePost, transfer } from './rig.ts';

const file = freshFile();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await start(file.path);
});
afterAll(async () => {
  await sandbox.close();
  file.remove();
});

describe('requests are held to the specification', () => {
  const good = 'amount=5&currency=usd&destination=acct_1';
  test.each([
    { name: 'an unknown field', body: `${good}&colour=red`, code: 'parameter_unknown', param: 'colour' },
    { name: 'a missing field', body: 'amount=5&currency=usd', code: 'parameter_missing', param: 'destination' },
    { name: 'a missing amount', body: 'currency=usd&destination=acct_1', code: 'parameter_missing', param: 'amount' },
    { name: 'a wrong type', body: good.replace('5', '5.5'), code: 'parameter_invalid', param: 'amount' },
    { name: 'a wrong choice', body: `${good}&source_type=gold`, code: 'parameter_invalid', param: 'source_type' },
    { name: 'no money', body: good.replace('5', '0'), code: 'parameter_invalid_integer', param: 'amount' },
    { name: 'upper case', body: good.replace('usd', 'USD'), code: undefined, param: 'currency' },
    { name: 'no account', body: good.replace('acct_1', 'bob'), code: 'resource_missing', param: 'destination' },
  ])('$name is refused', async ({ body, code, param }) => {
    const key = randomUUID();
    const answer = await stripePost(sandbox, '/v1/transfers', { key, body });
    expect(answer.status).toBe(400);
    expect(answer.json.error).toMatchObject({ type: 'invalid_request_error', param });
    expect(answer.json.error.code).toBe(code);
    expect(rows(sandbox, key)).toEqual([]);
  });

  test('an unknown query parameter, an unknown path and an unknown id are refused', async () => {
    expect((await stripeGet(sandbox, '/v1/transfers?colour=red')).json.error.code).toBe('parameter_unknown');
    expect((await stripeGet(sandbox, '/v1/nothing')).status).toBe(404);
    expect((await stripeGet(sandbox, '/v1/transfers/tr_none')).json.error.code).toBe('resource_missing');
    expect((await stripeGet(sandbox, '/v1/transfers/dbp_none')).status).toBe(404);
  });

  test.each(['', 'Bearer pk_test_1', 'Basic cGtfdGVzdDo='])(
    'the credentials "%s" are refused',
    async (authorization) => {
      expect((await send(sandbox, 'GET', '/stripe/v1/balance', { headers: { authorization } })).status).toBe(401);
    },
  );
});

test('every object is of the shape that the specification gives it', async () => {
  const specFile = new URL('../../src/sandbox/specs/stripe-reduced-2023-08-16-noexpand.json', import.meta.url);
  const { components } = JSON.parse(readFileSync(specFile, 'utf8'), (_, value) => {
    // OpenAPI 3.0 allows `nullable` without a type, JSON Schema does not know it.
    if (value?.nullable !== true || value.type !== undefined) return value;
    const { nullable: _nullable, ...schema } = value;
    return { anyOf: [schema, { type: 'null' }] };
  });
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  const made = await transfer(sandbox, { key: randomUUID(), destination: 'acct_ok_1' });
  const path = `/v1/transfers/${made.json.id}`;
  const back = await stripePost(sandbox, `${path}/reversals`, { key: randomUUID(), body: 'amount=1' });
  const objects = {
    transfer: (await stripeGet(sandbox, path)).json,
    transfer_reversal: back.json,
    balance: (await stripeGet(sandbox, '/v1/balance')).json,
    event: (await stripeGet(sandbox, '/v1/events?limit=1')).json.data[0],
    account: (await stripeGet(sandbox, '/v1/accounts/acct_ok_1')).json,
  };
  for (const [name, object] of Object.entries(objects)) {
    const validate = ajv.compile({ ...components.schemas[name], components });
    validate(object);
    expect(validate.errors ?? [], name).toEqual([]);
  }
});

describe('the official client', () => {
  test('reads transfers, lists, reversals, balance, events and accounts as its own', async () => {
    const client = officialClient(sandbox);
    const group = randomUUID();
    const before = await client.balance.retrieve();
    const made = await client.transfers.create(
      { amount: 900, currency: 'usd', destination: 'acct_ok_9', transfer_group: group, metadata: { order: '17' } },
      { idempotencyKey: group },
    );
    expect(made).toMatchObject({ object: 'transfer', amount: 900, metadata: { order: '17' }, reversed: false });
    const back = await client.transfers.createReversal(made.id, { amount: 300 }, { idempotencyKey: randomUUID() });
    expect(back).toMatchObject({ object: 'transfer_reversal', amount: 300, transfer: made.id });
    const read = await client.transfers.retrieve(made.id);
    expect(read).toMatchObject({ amount_reversed: 300, reversed: false });
    const listed = await client.transfers.list({
      transfer_group: group,
      destination: 'acct_ok_9',
      limit: 5,
      created: { gte: made.created, lte: made.created },
    });
    expect(listed.data).toEqual([read]);
    expect((await client.transfers.list({ transfer_group: group, created: { gt: made.created } })).data).toEqual([]);
    const reversals = await client.transfers.listReversals(made.id);
    expect(reversals.data.map((one) => one.id)).toEqual([back.id]);
    const after = await client.balance.retrieve();
    const usd = (balance: Stripe.Balance) => balance.available.find((one) => one.currency === 'usd')?.amount ?? 0;
    expect(usd(after)).toBeLessThanOrEqual(usd(before) - 600);
    expect((await client.accounts.retrieve('acct_ok_9')).capabilities?.transfers).toBe('active');
    const [newest] = (await client.events.list({ type: 'transfer.reversed', limit: 1 })).data;
    expect(newest?.object).toBe('event');
    const booked = rows(sandbox, group);
    expect(booked.map((row) => [row.direction, row.amount])).toEqual([
      ['out', '900'],
      ['return', '300'],
    ]);
  });

  test('walks all pages of a list once', async () => {
    const own = freshFile();
    const paged = await start(own.path);
    const client = officialClient(paged);
    const made: string[] = [];
    for (let number = 0; number < 7; number += 1) {
      const { id } = await client.transfers.create({ amount: 1, currency: 'usd', destination: 'acct_ok_1' });
      made.unshift(id);
    }
    const walked: string[] = [];
    for await (const one of client.transfers.list({ limit: 3 })) walked.push(one.id);
    expect(walked).toEqual(made);
    const before = await client.transfers.list({ limit: 2, ending_before: made[4] ?? '' });
    expect(before.data.map((one) => one.id)).toEqual(made.slice(2, 4));
    await paged.close();
    own.remove();
  });

  test('raises its own error classes', async () => {
    const client = officialClient(sandbox);
    const pay = (destination: string, amount = 5, idempotencyKey = randomUUID()) =>
      client.transfers.create({ amount, currency: 'usd', destination }, { idempotencyKey });
    await expect(pay('acct_decline')).rejects.toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
    await expect(pay('acct_error_stored')).rejects.toBeInstanceOf(Stripe.errors.StripeAPIError);
    await expect(pay('acct_rate_limit')).rejects.toBeInstanceOf(Stripe.errors.StripeRateLimitError);
    const key = randomUUID();
    await pay('acct_ok', 5, key);
    await expect(pay('acct_ok', 6, key)).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
  });

  test('more than the balance is refused as too little money', async () => {
    const own = freshFile();
    const poor = await start(own.path);
    const key = randomUUID();
    const much = await transfer(poor, { key, destination: 'acct_ok', amount: String(10 ** 15) });
    expect(much.status).toBe(200);
    const more = await transfer(poor, { key: randomUUID(), destination: 'acct_ok', amount: '1' });
    expect(more.json.error.code).toBe('balance_insufficient');
    await poor.close();
    own.remove();
  });
});

test.each([
  { id: 'acct_blocked_1', transfers: 'inactive', reason: 'rejected.fraud', due: 0 },
  { id: 'acct_onboarding', transfers: 'inactive', reason: 'requirements.past_due', due: 2 },
  { id: 'acct_unblocked', transfers: 'active', reason: null, due: 0 },
])('the account $id says whether it can be paid, and is paid only then', async ({ id, transfers, reason, due }) => {
  const { json } = await stripeGet(sandbox, `/v1/accounts/${id}`);
  expect(json).toMatchObject({ id, capabilities: { transfers }, requirements: { disabled_reason: reason } });
  expect(json.requirements.currently_due).toHaveLength(due);
  const key = randomUUID();
  const paid = await transfer(sandbox, { key, destination: id });
  expect(paid.json.error?.code ?? null).toBe(reason === null ? null : 'insufficient_capabilities_for_transfer');
  expect(rows(sandbox, key)).toHaveLength(reason === null ? 1 : 0);
});
