// A bank with a plain API of two calls, which exists only here: a payment is created, then confirmed, and the
// confirmation moves the money. It stands for every provider where a prepared payment can still be called off.
import { createHmac, hash } from 'node:crypto';
import { type Answer, answer, header, jsonAnswer, type WireRequest } from './answer.ts';
import { CURRENCIES } from './currency.ts';
import { hold, type KeyedCall, keyConflict, keyRecord, moveMoney, replay, standing } from './money-call.ts';
import { dashed, type EventRecord, isHidden, newId, type Payment, returnedAmount } from './payment.ts';
import { type Defect, jsonChecker } from './schema.ts';
import { type Provider, rememberedKey, type Voice, type World } from './world.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const EVENTS_MAX = 100; // newest events in one answer

const checkCreate = jsonChecker({
  type: 'object',
  properties: {
    reference: { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$' },
    amount: { type: 'string', pattern: '^[1-9][0-9]{0,17}$' },
    currency: { type: 'string', pattern: '^[A-Z]{3}$' },
    destination: { type: 'string', minLength: 1, maxLength: 255 },
  },
  required: ['reference', 'amount', 'currency', 'destination'],
  additionalProperties: false,
});
const checkEmpty = jsonChecker({ type: 'object', properties: {}, additionalProperties: false });

const voice: Voice = {
  keyRetentionMs: DAY_MS,
  replayHeader: { 'idempotency-replayed': 'true' },
  keepsServerError: false,
  repeatsError: true,
  objectFirst: true,
  keeps: 'latest',
  successStatus: 200,
  lateDeclineCode: 'declined',
  events: {
    paid: ['payment.paid'],
    declined: ['payment.declined'],
    declined_late: ['payment.declined'],
    returned: ['payment.returned'],
  },
  render: (payment) => JSON.stringify(wirePayment(payment)),
  pending: (payment) => jsonAnswer(200, wirePayment(payment)),
  refusal: (payment) => refusal(payment),
  serverError: () => problem(500, 'internal', 'Something went wrong here. Ask for the payment before trying again.'),
  unavailable: () => problem(503, 'unavailable', 'The bank is not available. Try again.'),
  rateLimited: () => problem(429, 'rate_limited', 'Too many requests. Wait, then try again.'),
  keyInUse: () => problem(409, 'key_in_use', 'A request with this key is still in progress. Repeat it later.'),
  keyReused: () =>
    problem(422, 'key_reused', 'This key was used for another request. Use a new key for a new request.'),
};

export const demobank: Provider = {
  name: 'demobank',
  voices: { payout: voice },
  handle(request, world) {
    if (!/^Bearer \S/i.test(header(request, 'authorization') ?? '')) {
      return problem(401, 'unauthorized', 'Send `Authorization: Bearer <token>`; in the sandbox any token does.');
    }
    for (const { method, pattern, run } of ROUTES) {
      const match = method === request.method ? pattern.exec(request.path) : null;
      if (match) return run({ request, world, id: match[1] ?? '' });
    }
    return problem(
      404,
      'not_found',
      `There is no ${request.method} ${request.path}. GET /_sandbox lists what is here.`,
    );
  },
  webhookBody: (event) => JSON.stringify(wireEvent(event)),
  sign({ body, secret, atSeconds }) {
    const signature = createHmac('sha256', secret).update(`${atSeconds}.${body}`).digest('hex');
    return { 'demobank-signature': `t=${atSeconds},v1=${signature}` };
  },
};

type Call = { request: WireRequest; world: World; id: string };

const ROUTES: { method: string; pattern: RegExp; run: (call: Call) => Answer }[] = [
  { method: 'POST', pattern: /^\/v1\/payments$/, run: create },
  { method: 'GET', pattern: /^\/v1\/payments$/, run: lookUp },
  { method: 'GET', pattern: /^\/v1\/payments\/([^/]+)$/, run: get },
  { method: 'POST', pattern: /^\/v1\/payments\/([^/]+)\/confirm$/, run: confirm },
  { method: 'POST', pattern: /^\/v1\/payments\/([^/]+)\/cancel$/, run: cancel },
  { method: 'GET', pattern: /^\/v1\/balance$/, run: balance },
  { method: 'GET', pattern: /^\/v1\/events$/, run: events },
];

function create({ request, world }: Call): Answer {
  const body = readBody(request, checkCreate);
  if ('refused' in body) return body.refused;
  const keyed = readKey(request, body.fields);
  if ('refused' in keyed) return keyed.refused;
  const { call } = keyed;
  const conflict = keyConflict(world, call);
  if (conflict) return conflict;
  const reference = String(body.fields.reference);
  const seen = { key: dashed(reference), callKey: call.callKey };
  const known = rememberedKey(world, voice, call.keyName);
  if (known) return { ...replay(world, call, known), seen };
  const payment: Payment = {
    id: newId('dbp_'),
    provider: 'demobank',
    key: dashed(reference),
    callKey: null,
    reference,
    amount: String(body.fields.amount),
    currency: String(body.fields.currency),
    destination: String(body.fields.destination),
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: {},
  };
  const key = keyRecord(world, call, { paymentId: null, answer: { kind: 'snapshot', status: 201 } });
  world.commit({ at: world.now(), payment, ...key });
  return { ...jsonAnswer(201, wirePayment(payment)), inFlight: hold(world, call), seen };
}

function confirm({ request, world, id }: Call): Answer {
  const body = readBody(request, checkEmpty);
  if ('refused' in body) return body.refused;
  const keyed = readKey(request, body.fields);
  if ('refused' in keyed) return keyed.refused;
  const { call } = keyed;
  const payment = world.state.payment(id);
  if (payment?.provider !== 'demobank') return notFound();
  const seen = { key: payment.key, callKey: call.callKey };
  const conflict = keyConflict(world, call);
  if (conflict) return { ...conflict, seen };
  const isKnown = rememberedKey(world, voice, call.keyName) !== undefined;
  const settled = isKnown ? null : settledAlready(payment, world);
  const confirmed = settled ?? moveMoney(world, { ...call, payment });
  return { ...confirmed, seen: { ...confirmed.seen, ...seen } };
}

/** The answer to a new confirmation of a payment that needs none; it moves nothing. */
function settledAlready(payment: Payment, world: World): Answer | null {
  if (payment.status === 'created') return null;
  if (payment.status === 'canceled') {
    return problem(409, 'already_canceled', 'This payment was cancelled. Create a new one.');
  }
  return isHidden(payment, world.now()) ? voice.keyInUse(null) : standing(world, voice, payment);
}

function cancel({ request, world, id }: Call): Answer {
  const body = readBody(request, checkEmpty);
  if ('refused' in body) return body.refused;
  const payment = world.state.payment(id);
  if (payment?.provider !== 'demobank') return notFound();
  const seen = { key: payment.key };
  if (payment.status === 'canceled') return { ...jsonAnswer(200, wirePayment(payment)), seen };
  if (payment.status !== 'created') {
    return { ...problem(409, 'already_paid', `This payment is ${payment.status} already. Look at it instead.`), seen };
  }
  const canceled: Payment = { ...payment, status: 'canceled' };
  world.commit({ at: world.now(), payment: canceled });
  return { ...jsonAnswer(200, wirePayment(canceled)), seen };
}

function get({ world, id }: Call): Answer {
  const payment = world.state.payment(id);
  if (payment?.provider !== 'demobank' || isHidden(payment, world.now())) return notFound();
  return { ...jsonAnswer(200, wirePayment(payment)), seen: { key: payment.key } };
}

function lookUp({ request, world }: Call): Answer {
  const parameters = new URLSearchParams(request.query);
  const reference = parameters.get('reference');
  if (!reference || parameters.size !== 1) {
    return problem(400, 'invalid_request', 'Send exactly one parameter, `reference`.');
  }
  const found = world.state.byReference({ provider: 'demobank', reference });
  const data = found.filter((payment) => !isHidden(payment, world.now())).map(wirePayment);
  return { ...jsonAnswer(200, { data }), seen: { key: dashed(reference) } };
}

function balance({ world }: Call): Answer {
  const currencies = [...new Set([...CURRENCIES, ...world.state.currencies('demobank')])];
  const data = currencies.map((currency) => {
    return { currency, available: String(world.state.available({ provider: 'demobank', currency })) };
  });
  return jsonAnswer(200, { data });
}

function events({ world }: Call): Answer {
  const data: ReturnType<typeof wireEvent>[] = [];
  for (const event of world.state.newestEvents('demobank')) {
    if (data.length === EVENTS_MAX) break;
    data.push(wireEvent(event));
  }
  return jsonAnswer(200, { data });
}

type Fields = Record<string, unknown>;

function readBody(
  request: WireRequest,
  check: (value: unknown) => Defect | null,
): { fields: Fields } | { refused: Answer } {
  try {
    const fields: Fields = JSON.parse(request.body === '' ? '{}' : request.body);
    const defect = check(fields);
    if (!defect) return { fields };
    const what = defect.field === '' ? 'The body' : `The field ${defect.field}`;
    return { refused: problem(400, 'invalid_request', `${what} ${defect.detail}. Correct it and send again.`) };
  } catch {
    return { refused: problem(400, 'invalid_request', 'The body is not JSON. Send a JSON object.') };
  }
}

function readKey(request: WireRequest, fields: Fields): { call: KeyedCall } | { refused: Answer } {
  const callKey = header(request, 'idempotency-key');
  if (!callKey) {
    return { refused: problem(400, 'key_missing', 'Send an `Idempotency-Key` header, the same one in every try.') };
  }
  const fingerprint = hash('sha256', JSON.stringify(Object.entries(fields).toSorted()), 'hex');
  return { call: { voice, keyName: `demobank:${callKey}`, callKey, endpoint: request.path, fingerprint } };
}

function wirePayment(payment: Payment) {
  return {
    id: payment.id,
    reference: payment.reference,
    amount: payment.amount,
    currency: payment.currency,
    destination: payment.destination,
    status: payment.status,
    decline_code: payment.declineCode,
    returned: String(returnedAmount(payment)),
    created_at: new Date(payment.createdAt).toISOString(),
  };
}

function wireEvent({ id, type, at, payment }: EventRecord) {
  return { id: `dbe_${id.slice('evt_'.length)}`, type, created: Math.floor(at / 1000), data: wirePayment(payment) };
}

function refusal(payment: Payment): Answer {
  const isShort = payment.declineCode === 'insufficient_funds';
  const code = isShort ? 'insufficient_funds' : 'declined';
  const message = isShort ? 'Your account does not hold enough.' : 'The payment was declined.';
  return jsonAnswer(402, { error: { code, message }, payment: wirePayment(payment) });
}

function notFound(): Answer {
  return problem(404, 'not_found', 'There is no such payment. Check the id.');
}

function problem(status: number, code: string, message: string): Answer {
  return answer(status, JSON.stringify({ error: { code, message } }), { 'content-type': 'application/json' });
}
