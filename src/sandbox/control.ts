// The sandbox's own routes: the book, the calls seen, and the switches for faults, webhooks and key retention.
import { type Answer, answer, jsonAnswer, type WireRequest } from './answer.ts';
import { approvalPage, approve } from './approval.ts';
import { type Faults, isWord, WORDS } from './behaviour.ts';
import type { CallLog } from './call-log.ts';
import type { Payment } from './payment.ts';
import { jsonChecker } from './schema.ts';
import type { Voice, World } from './world.ts';

const ROWS_A_PIECE = 1_000; // a book of a million rows leaves in pieces of about 300 KiB

const chance = { type: 'number', minimum: 0, maximum: 1 };
const checkFaults = jsonChecker({
  type: 'object',
  properties: {
    seed: { type: 'integer' },
    rates: { type: 'object', additionalProperties: chance },
    latency_ms: { type: 'integer', minimum: 0, maximum: 60_000 },
  },
  additionalProperties: false,
});
const checkWebhooks = jsonChecker({
  type: 'object',
  properties: {
    duplicate: chance,
    drop: chance,
    delay_ms: { type: 'integer', minimum: 0, maximum: 3_600_000 },
    shuffle: { type: 'boolean' },
  },
  additionalProperties: false,
});
const checkFees = jsonChecker({
  type: 'object',
  additionalProperties: {
    type: 'object',
    properties: {
      percent: { type: 'string', pattern: '^[0-9]{1,2}(\\.[0-9]{1,4})?$' },
      fixed: { type: 'string', pattern: '^[0-9]{1,12}$' },
    },
    required: ['percent', 'fixed'],
    additionalProperties: false,
  },
});
const checkAbandon = jsonChecker({
  type: 'object',
  properties: { ms: { type: 'integer', minimum: 0, maximum: 86_400_000 } },
  required: ['ms'],
  additionalProperties: false,
});
const checkTokens = jsonChecker({
  type: 'object',
  properties: { ms: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }] }, revoke: { type: 'boolean' } },
  additionalProperties: false,
});
const checkRetention = jsonChecker({
  type: 'object',
  properties: { ms: { anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }] } },
  required: ['ms'],
  additionalProperties: false,
});

type Control = { request: WireRequest; world: World; calls: CallLog; voiceFor: (payment: Payment) => Voice };

const ROUTES: Record<string, (control: Control) => Answer> = {
  'GET /_sandbox': () => jsonAnswer(200, INDEX),
  'GET /_sandbox/health': () => jsonAnswer(200, { ok: true }),
  'GET /_sandbox/book': ({ world }) => dataAnswer(world.state.book),
  'GET /_sandbox/calls': readCalls,
  'GET /_sandbox/faults': ({ world }) => jsonAnswer(200, shownFaults(world.settings.faults)),
  'POST /_sandbox/faults': setFaults,
  'GET /_sandbox/webhooks': ({ world }) => jsonAnswer(200, shownWebhooks(world)),
  'POST /_sandbox/webhooks': setWebhooks,
  'GET /_sandbox/retention': ({ world }) => jsonAnswer(200, { ms: world.settings.retentionMs }),
  'POST /_sandbox/retention': setRetention,
  'GET /_sandbox/fees': ({ world }) => jsonAnswer(200, world.settings.fees),
  'POST /_sandbox/fees': setFees,
  'POST /_sandbox/abandon': setAbandon,
  'POST /_sandbox/tokens': setTokens,
};

export function control(asked: Control): Answer {
  const { request, world, voiceFor } = asked;
  const path = request.path.replace(/(.)\/$/, '$1');
  const run = ROUTES[`${request.method} ${path}`];
  if (run) return run(asked);
  const id = /^\/_sandbox\/approve\/([^/]+)$/.exec(path)?.[1];
  if (id && request.method === 'POST') return approve(world, id, voiceFor);
  if (id && request.method === 'GET') return approvalPage(world, id);
  return refused(404, `There is no ${request.method} ${path}. GET /_sandbox lists what is here.`);
}

const INDEX = {
  what: 'remit sandbox: local stand-ins for payment providers. No real money moves.',
  providers: {
    '/stripe':
      'Stripe v1: payment intents, refunds, charges, disputes, transfers, reversals, balance, events, accounts',
    '/paypal': 'PayPal: sign-in, orders, captures, refunds, payouts, disputes, balances, certificates of webhooks',
    '/square': 'Square v2: payments in one step or two, their cancelling, refunds, disputes, locations',
    '/tipalti': 'Tipalti: sign-in, payment batches, payments, payees, balances, proof of notifications',
    '/demobank': 'a plain two-call API: create a payment, then confirm it',
  },
  control: [...Object.keys(ROUTES), 'GET /_sandbox/approve/{extern_id}', 'POST /_sandbox/approve/{extern_id}'],
  behaviour_words: WORDS,
};

function readCalls({ request, calls }: Control): Answer {
  const parameters = new URLSearchParams(request.query);
  const { dropped, data } = calls.read({ key: parameters.get('key'), provider: parameters.get('provider') });
  return dataAnswer(data, { dropped });
}

function setFaults({ request, world }: Control): Answer {
  const body = readBody(request, checkFaults);
  if ('refused' in body) return body.refused;
  const { seed = 1, rates = {}, latency_ms: latencyMs = 0 } = body.fields;
  const given: Faults['rates'] = [];
  // Sorted, so that the draw does not depend on the order in which the words were written.
  for (const [word, rate] of Object.entries(Object(rates)).toSorted()) {
    if (!isWord(word)) return refused(400, `"${word}" is no behaviour word. Use one of: ${WORDS.join(', ')}.`);
    given.push({ word, rate: Number(rate) });
  }
  if (given.reduce((sum, { rate }) => sum + rate, 0) > 1 + Number.EPSILON) {
    return refused(400, 'The rates add up to more than 1. Lower them: each call draws at most one fault.');
  }
  world.settings.faults = { seed: Number(seed), rates: given, latencyMs: Number(latencyMs) };
  return jsonAnswer(200, shownFaults(world.settings.faults));
}

function setWebhooks({ request, world }: Control): Answer {
  const body = readBody(request, checkWebhooks);
  if ('refused' in body) return body.refused;
  const { duplicate = 0, drop = 0, delay_ms: delayMs = 0, shuffle = false } = body.fields;
  world.settings.webhooks = {
    duplicate: Number(duplicate),
    drop: Number(drop),
    delayMs: Number(delayMs),
    shuffle: shuffle === true,
  };
  return jsonAnswer(200, shownWebhooks(world));
}

function setRetention({ request, world }: Control): Answer {
  const body = readBody(request, checkRetention);
  if ('refused' in body) return body.refused;
  const { ms } = body.fields;
  world.settings.retentionMs = typeof ms === 'number' ? ms : null;
  return jsonAnswer(200, { ms: world.settings.retentionMs });
}

function setFees({ request, world }: Control): Answer {
  const body = readBody(request, checkFees);
  if ('refused' in body) return body.refused;
  const fees: World['settings']['fees'] = JSON.parse(request.body);
  world.settings.fees = fees;
  return jsonAnswer(200, fees);
}

function setAbandon({ request, world }: Control): Answer {
  const body = readBody(request, checkAbandon);
  if ('refused' in body) return body.refused;
  world.settings.abandonMs = Number(body.fields.ms);
  return jsonAnswer(200, { ms: world.settings.abandonMs });
}

function setTokens({ request, world }: Control): Answer {
  const body = readBody(request, checkTokens);
  if ('refused' in body) return body.refused;
  const { ms, revoke } = body.fields;
  const voidBefore = revoke === true ? world.now() : world.settings.tokens.voidBefore;
  world.settings.tokens = { ms: typeof ms === 'number' ? ms : null, voidBefore };
  return jsonAnswer(200, { ms: world.settings.tokens.ms });
}

function shownFaults({ seed, rates, latencyMs }: Faults) {
  return { seed, rates: Object.fromEntries(rates.map(({ word, rate }) => [word, rate])), latency_ms: latencyMs };
}

function shownWebhooks(world: World) {
  const { duplicate, drop, delayMs, shuffle } = world.settings.webhooks;
  return { duplicate, drop, delay_ms: delayMs, shuffle };
}

function readBody(request: WireRequest, check: ReturnType<typeof jsonChecker>) {
  try {
    const fields: Record<string, unknown> = JSON.parse(request.body);
    const defect = check(fields);
    if (!defect) return { fields };
    const what = defect.field === '' ? 'The body' : `The field ${defect.field}`;
    return { refused: refused(400, `${what} ${defect.detail}. Correct it and send again.`) };
  } catch {
    return { refused: refused(400, 'The body is not JSON. Send a JSON object.') };
  }
}

function refused(status: number, message: string): Answer {
  return jsonAnswer(status, { error: { code: status === 404 ? 'not_found' : 'invalid_request', message } });
}

function dataAnswer(rows: readonly unknown[], more: Record<string, unknown> = {}): Answer {
  return answer(200, pieces(rows, more), { 'content-type': 'application/json' });
}

function* pieces(rows: readonly unknown[], more: Record<string, unknown>): Iterable<string> {
  // The list may grow while it leaves; what was there at the question is the answer.
  const count = rows.length;
  yield '{"data":[';
  for (let start = 0; start < count; start += ROWS_A_PIECE) {
    const piece = rows.slice(start, Math.min(count, start + ROWS_A_PIECE));
    yield (start === 0 ? '' : ',') + piece.map((row) => JSON.stringify(row)).join(',');
  }
  yield `]${Object.entries(more)
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join('')}}`;
}
