// Tipalti as far as payouts need it: sign-in, payment batches of one instruction, look-up by our reference, payees,
// balances, and notifications that are proved by asking back. The reference code is the one guard against paying twice.
import { hash } from 'node:crypto';
import { type Answer, answer, jsonAnswer, type WireRequest } from './answer.ts';
import { CURRENCIES } from './currency.ts';
import { hold, type KeyedCall, keyConflict, keyRecord, moveMoney, replay } from './money-call.ts';
import { eventParts } from './movement.ts';
import { dashed, isHidden, newId, type Payment } from './payment.ts';
import { jsonChecker } from './schema.ts';
import { amountTexts, minorUnits } from './tipalti/amount.ts';
import { isSignedIn, signIn } from './tipalti/auth.ts';
import * as wire from './tipalti/wire.ts';
import { type Provider, rememberedKey, type Voice, type World } from './world.ts';

const PAGE_MAX = 200; // Tipalti's own

const checkBatch = jsonChecker({
  type: 'object',
  properties: {
    paymentInstructions: {
      type: 'array',
      minItems: 1,
      // Tipalti takes more; one operation a batch is all that the sandbox needs to know.
      maxItems: 1,
      items: {
        type: 'object',
        properties: {
          payeeId: { type: 'string', pattern: '^[A-Za-z0-9._@-]{1,64}$' },
          amountSubmitted: {
            type: 'object',
            properties: { amount: { type: 'number' }, currency: { type: 'string', pattern: '^[A-Z]{3}$' } },
            required: ['amount', 'currency'],
            additionalProperties: false,
          },
          refCode: { type: 'string', pattern: '^[A-Za-z0-9]{1,32}$' },
        },
        required: ['payeeId', 'amountSubmitted', 'refCode'],
        additionalProperties: false,
      },
    },
  },
  required: ['paymentInstructions'],
  additionalProperties: false,
});

const voice: Voice = {
  // A reference code is never forgotten.
  keyRetentionMs: Number.POSITIVE_INFINITY,
  replayHeader: {},
  keepsServerError: false,
  repeatsError: true,
  objectFirst: true,
  keeps: 'latest',
  successStatus: 200,
  lateDeclineCode: 'declined',
  // The type that a notification shows depends on why; see the wire.
  events: {
    pending: ['payment_submitted'],
    paid: ['completed'],
    declined: ['error'],
    declined_late: ['error'],
    returned: ['error'],
  },
  render: (payment) => JSON.stringify(wire.batch(payment, payment.createdAt)),
  pending: (payment) => jsonAnswer(200, wire.batch(payment, payment.createdAt)),
  // A batch is taken whatever becomes of it; the refusal is the status of its payment.
  refusal: (payment) => jsonAnswer(200, wire.batch(payment, payment.createdAt)),
  serverError: () => wire.problem(500, 'UnknownError', 'An unknown error occurred. Look the payment up.'),
  unavailable: () => wire.problem(503, 'ServiceUnavailable', 'The service is not available. Try again.'),
  rateLimited: () => wire.problem(429, 'TooManyRequests', 'Too many requests. Wait, then try again.'),
  keyInUse: () => wire.problem(409, 'RefCodeInProgress', 'This refCode is being worked on. Look it up later.'),
  keyReused: () => wire.problem(400, 'RefCodeReused', 'This refCode belongs to another instruction. Use a new one.'),
};

export const tipalti: Provider = {
  name: 'tipalti',
  voices: { payout: voice },
  handle(request, world) {
    for (const { method, pattern, isOpen, run } of ROUTES) {
      const match = method === request.method ? pattern.exec(request.path) : null;
      if (!match) continue;
      return isOpen || isSignedIn(request, world) ? run({ request, world, id: match[1] ?? '' }) : wire.unauthorized();
    }
    return wire.notFound(`route as ${request.method} ${request.path}`);
  },
  webhookBody: (event) => wire.notification(event),
  // Nothing is signed: the receiver sends the bytes back and is told whether they came from here.
  sign: () => ({ 'content-type': 'application/x-www-form-urlencoded' }),
};

type Call = { request: WireRequest; world: World; id: string };
type Route = { method: string; pattern: RegExp; isOpen?: boolean; run: (call: Call) => Answer };

const ROUTES: Route[] = [
  {
    method: 'POST',
    pattern: /^\/connect\/token$/,
    isOpen: true,
    run: ({ request, world }) => signIn(request, world),
  },
  { method: 'POST', pattern: /^\/notif\/ipn\.aspx$/i, isOpen: true, run: verifyNotification },
  { method: 'POST', pattern: /^\/api\/v1\/payment-batches$/, run: createBatch },
  { method: 'GET', pattern: /^\/api\/v1\/payment-batches\/([^/]+)$/, run: getBatch },
  { method: 'GET', pattern: /^\/api\/v1\/payment-batches\/([^/]+)\/instructions$/, run: getInstructions },
  { method: 'GET', pattern: /^\/api\/v1\/payments$/, run: listPayments },
  { method: 'GET', pattern: /^\/api\/v1\/payments\/([^/]+)$/, run: getPayment },
  { method: 'GET', pattern: /^\/api\/v1\/payees$/, run: listPayees },
  { method: 'GET', pattern: /^\/api\/v1\/payees\/([^/]+)$/, run: ({ id }) => jsonAnswer(200, wire.payee(id)) },
  { method: 'GET', pattern: /^\/api\/v1\/balances$/, run: ({ world }) => jsonAnswer(200, wire.balances(world.state)) },
];

type Instruction = { payeeId: string; amount: string; currency: string; refCode: string };

function createBatch({ request, world }: Call): Answer {
  const read = readInstruction(request);
  if ('refused' in read) return read.refused;
  const { payeeId, amount, currency, refCode } = read.instruction;
  const fingerprint = hash('sha256', JSON.stringify([payeeId, amount, currency]), 'hex');
  const call: KeyedCall = {
    voice,
    keyName: `tipalti:${refCode}`,
    callKey: refCode,
    endpoint: request.path,
    fingerprint,
  };
  const payment: Payment = {
    id: newId('tpp_'),
    provider: 'tipalti',
    key: dashed(refCode),
    callKey: refCode,
    reference: refCode,
    amount,
    currency,
    destination: payeeId,
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: {},
  };
  const made = wire.payee(payeeId).isPayable
    ? moveMoney(world, { ...call, payment })
    : defer(world, { call, payment: { ...payment, status: 'declined', declineCode: 'payee_not_payable' } });
  return { ...made, seen: { ...made.seen, key: payment.key, callKey: refCode } };
}

function readInstruction(request: WireRequest): { instruction: Instruction } | { refused: Answer } {
  const invalid = (message: string) => ({ refused: wire.problem(400, 'ParameterError', message) });
  let fields: { paymentInstructions: { payeeId: string; amountSubmitted: { currency: string }; refCode: string }[] };
  try {
    fields = JSON.parse(request.body);
  } catch {
    return invalid('The body is not JSON. Send a JSON object.');
  }
  const defect = checkBatch(fields);
  if (defect) return invalid(`${defect.field || 'The body'} ${defect.detail}. Correct it and send again.`);
  const [first] = fields.paymentInstructions;
  const [text] = amountTexts(request.body);
  if (!first || text === undefined) return invalid('Send one payment instruction with an amount.');
  const { currency } = first.amountSubmitted;
  if (!CURRENCIES.includes(currency)) {
    return { refused: wire.problem(400, 'UnknownCurrencyCode', `There is no currency ${currency}. Send ISO 4217.`) };
  }
  const amount = minorUnits({ text, currency });
  if (amount === null)
    return invalid(`${text} ${currency} cannot be paid. Send a positive amount of whole minor units.`);
  return { instruction: { payeeId: first.payeeId, amount, currency, refCode: first.refCode } };
}

/** The answer for a payee who cannot be paid: the batch is taken, its payment deferred for good. */
function defer(world: World, { call, payment }: { call: KeyedCall; payment: Payment }): Answer {
  const conflict = keyConflict(world, call);
  if (conflict) return conflict;
  const known = rememberedKey(world, voice, call.keyName);
  if (known) return replay(world, call, known);
  const key = keyRecord(world, call, { paymentId: payment.id, answer: { kind: 'live' } });
  world.commit({ at: world.now(), payment, ...key, ...eventParts(voice, 'declined') });
  return { ...voice.refusal(payment, world), inFlight: hold(world, call) };
}

function visible(world: World, id: string): Payment | null {
  const payment = world.state.payment(id);
  return payment?.provider === 'tipalti' && !isHidden(payment, world.now()) ? payment : null;
}

function getBatch({ world, id }: Call): Answer {
  const payment = visible(world, wire.paymentId(id));
  if (!payment || !id.startsWith('tpb_')) return wire.notFound('batch');
  return { ...jsonAnswer(200, wire.batch(payment, world.now())), seen: { key: payment.key } };
}

function getInstructions({ world, id }: Call): Answer {
  const payment = visible(world, wire.paymentId(id));
  if (!payment || !id.startsWith('tpb_')) return wire.notFound('batch');
  const items = [wire.instruction(payment, world.now())];
  return { ...jsonAnswer(200, wire.list(items)), seen: { key: payment.key } };
}

function getPayment({ world, id }: Call): Answer {
  const payment = visible(world, id);
  if (!payment) return wire.notFound('payment');
  return { ...jsonAnswer(200, wire.payment(payment, world.now())), seen: { key: payment.key } };
}

function listPayments({ request, world }: Call): Answer {
  const query = readQuery(request);
  if ('refused' in query) return query.refused;
  const { refCode, size, after } = query;
  const now = world.now();
  const found: Iterable<Payment> =
    refCode === null
      ? world.state.newest('tipalti')
      : world.state.byReference({ provider: 'tipalti', reference: refCode }).toReversed();
  const items: Payment[] = [];
  let started = after === null;
  for (const payment of found) {
    if (started && !isHidden(payment, now)) items.push(payment);
    if (payment.id === after) started = true;
    if (items.length > size) break;
  }
  const next = items.length > size ? (items[size - 1]?.id ?? null) : null;
  const shown = items.slice(0, size).map((one) => wire.payment(one, now));
  return { ...jsonAnswer(200, wire.list(shown, next)), seen: refCode === null ? {} : { key: dashed(refCode) } };
}

function listPayees({ request }: Call): Answer {
  const query = readQuery(request);
  if ('refused' in query) return query.refused;
  if (query.refCode === null) {
    return wire.problem(400, 'ParameterError', 'The sandbox keeps no list of payees. Ask with refCode=<payee>.');
  }
  return jsonAnswer(200, wire.list([wire.payee(query.refCode)]));
}

/** `refCode=x` and `filter=refCode=="x"` ask the same. */
function readQuery(request: WireRequest) {
  const query = new URLSearchParams(request.query);
  const filter = query.get('filter');
  const filtered = filter === null ? null : (/^refCode==["']([^"']+)["']$/.exec(filter)?.[1] ?? null);
  const size = Number(query.get('pageSize') ?? PAGE_MAX);
  const isKnown = [...query.keys()].every((name) => ['refCode', 'filter', 'pageSize', 'pageCursor'].includes(name));
  if (!isKnown || (filter !== null && filtered === null) || !Number.isInteger(size) || size < 1 || size > PAGE_MAX) {
    const message = `Use refCode, filter=refCode=="...", pageSize (1 to ${PAGE_MAX}) and pageCursor only.`;
    return { refused: wire.problem(400, 'ParameterError', message) };
  }
  return { refCode: filtered ?? query.get('refCode'), size, after: query.get('pageCursor') };
}

function verifyNotification({ request, world }: Call): Answer {
  const event = world.state.event(wire.eventId(request.body));
  const isOurs = event?.provider === 'tipalti' && wire.notification(event) === request.body;
  return answer(200, isOurs ? 'VERIFIED' : 'INVALID', { 'content-type': 'text/plain' });
}
