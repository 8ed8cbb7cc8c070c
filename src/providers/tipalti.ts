// Payouts through Tipalti: a payment batch of one instruction. There is no idempotency key; the refCode of the
// instruction is the only guard against paying twice, so nothing is sent before a look-up by it has found nothing.

import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Answer, CallLimits, PayeeView, PayoutOrder, Provider, Reference } from '../domain/provider.ts';
import type { HttpAnswer } from './http.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, storedErrorOf, uncertain } from './surprise.ts';
import { fromWire, parseExact, refusalOf, toWire } from './tipalti/amount.ts';
import { createCaller } from './tipalti/call.ts';
import { refCodeOf } from './tipalti/reference.ts';
import { createNotifications } from './tipalti/webhook.ts';
import * as wire from './tipalti/wire.ts';

const PROVIDER = 'tipalti';
const API_URL = 'https://api-p.tipalti.com';
const TOKEN_URL = 'https://sso.tipalti.com/connect/token';
const NOTIFICATION_URL = 'https://console.tipalti.com/notif/ipn.aspx';
/**
 * How long a refCode guards is not published. The look-up before each send does not grow old, but where nothing was
 * found for half of this, a person should look before money is sent once more.
 */
const KEY_RETENTION_MS = 30 * 24 * 60 * 60 * 1000;
/** The payer may have to approve a batch by hand, over a weekend. */
const USUAL_MS = 3 * 24 * 60 * 60 * 1000;
/** What a refusal of the whole batch must be named to be final; a refCode that is known already has no known name. */
const FINAL_CODES = new Set(['PayeeUnknown', 'UnknownCurrencyCode']);
/** "Up to 64 characters, no spaces": nothing else was ever a payee there. */
const PAYEE_ID = /^[\x21-\x7e]{1,64}$/;
const PAYEE_SHAPE = 'A payee of Tipalti has 1 to 64 characters and no spaces.';

interface TipaltiOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** The payer's name at Tipalti. The calls made here find the payer by the token and do not send it. */
  readonly payer: string;
  /** These three are Tipalti's own where null, and may name the host alone or the whole address. */
  readonly baseUrl: string | null;
  readonly authUrl: string | null;
  readonly ipnUrl: string | null;
  readonly live: boolean;
  readonly keyRetentionMs?: number;
  readonly log: ProviderLog;
}

export function createTipalti(options: TipaltiOptions): Provider {
  const { clientId, clientSecret, refreshToken, live, log } = options;
  const call = createCaller({
    baseUrl: addressOf(options.baseUrl ?? API_URL, '/api/v1'),
    tokenUrl: addressOf(options.authUrl ?? TOKEN_URL, '/connect/token'),
    clientId,
    clientSecret,
    refreshToken,
    log,
  });
  const parseNotification = createNotifications({
    url: addressOf(options.ipnUrl ?? NOTIFICATION_URL, '/notif/ipn.aspx'),
    log,
  });
  const sending = new Set<string>();

  async function sendPayout(order: PayoutOrder, limits: CallLimits): Promise<Answer> {
    const refCode = refCodeOf(order.pkid);
    const signal = deadlineOf(limits);
    // Two at once could both look before either has paid. Between processes only the lease keeps that from happening.
    if (sending.has(refCode)) throw uncertain({ provider: PROVIDER, reason: 'key_in_use' });
    sending.add(refCode);
    try {
      const found = await lookBefore(order, limits);
      if (found.type !== 'not_found') return found;
      return await pay(order, signal);
    } finally {
      sending.delete(refCode);
    }
  }

  /** Half of the time is for the payment itself; a look that gave no certainty means that nothing is sent. */
  async function lookBefore({ pkid, key }: PayoutOrder, { timeoutMs }: CallLimits): Promise<Answer> {
    try {
      const signal = deadlineOf({ timeoutMs: timeoutMs / 2 });
      return await look({ pkid, key, externId: null, payinExternId: null }, signal);
    } catch (cause) {
      if (!(cause instanceof PaymentError) || cause.surprise?.type !== 'uncertain') throw cause;
      const { reason, httpStatus } = cause.surprise;
      throw notTaken({
        provider: PROVIDER,
        reason: `look_up_${reason}`,
        ...(httpStatus === null ? {} : { httpStatus }),
        cause,
      });
    }
  }

  async function pay({ pkid, money, beneficiary }: PayoutOrder, signal: AbortSignal): Promise<Answer> {
    const refusal = refusalOf(money);
    if (refusal !== null) throw new PaymentError('provider-not-able', { detail: refusal });
    if (!PAYEE_ID.test(beneficiary)) return neverAPayee();
    const refCode = refCodeOf(pkid);
    const amount = `{"amount":${toWire(money)},"currency":${JSON.stringify(money.currency)}}`;
    const instruction = `{"payeeId":${JSON.stringify(beneficiary)},"amountSubmitted":${amount},"refCode":"${refCode}"}`;
    const body = `{"paymentInstructions":[${instruction}]}`;
    const answer = await call({ path: '/payment-batches', body, signal });
    if (answer.status >= 400) return declinedBy(answer);
    const batch = parseAnswer(PROVIDER, wire.batchBody, parseExact(answer.text));
    return wire.answerOfPayment({ payment: batch.paymentInstructions[0], pkid, log });
  }

  /** By our reference first: that also shows a second payment, which a look by its id would miss. */
  async function look({ pkid, externId }: Reference, signal: AbortSignal): Promise<Answer> {
    const refCode = refCodeOf(pkid);
    const path = `/payments?refCode=${refCode}&pageSize=${wire.PAGE_ITEMS_MAX}`;
    const page = await call({ path, signal });
    if (page.status >= 400) throw unexpected(page);
    const { items, nextPageCursor } = parseAnswer(PROVIDER, wire.paymentList, parseExact(page.text));
    const ours = items.filter((one) => one.refCode === refCode);
    if (ours.length > 0) return answerOfAll(ours, { pkid, externId });
    if (items.length > 0 || (nextPageCursor ?? '') !== '') {
      log.error(
        { provider: PROVIDER, reason: 'not_filtered' },
        'Tipalti lists payments without regard to the refCode.',
      );
      throw uncertain({ provider: PROVIDER, reason: 'not_filtered' });
    }
    return externId === null ? { type: 'not_found' } : lookById({ pkid, externId }, signal);
  }

  async function lookById(known: { pkid: Pkid; externId: string }, signal: AbortSignal): Promise<Answer> {
    const answer = await call({ path: `/payments/${encodeURIComponent(known.externId)}`, signal });
    if (answer.status === 404) return { type: 'not_found' };
    if (answer.status >= 400) throw unexpected(answer);
    const payment = parseAnswer(PROVIDER, wire.paymentBody, parseExact(answer.text));
    return wire.answerOfPayment({ payment, pkid: known.pkid, log });
  }

  function answerOfAll(
    payments: readonly wire.TipaltiPayment[],
    { pkid, externId }: { pkid: Pkid; externId: string | null },
  ): Answer {
    // Newest first on the wire. Among equals the one that is on file counts, then the first that was made.
    const [first, ...others] = payments
      .toReversed()
      .toSorted(
        (left, right) =>
          wire.weightOf(left) - wire.weightOf(right) || Number(right.id === externId) - Number(left.id === externId),
      );
    if (first === undefined) return { type: 'not_found' };
    const answer = wire.answerOfPayment({ payment: first, pkid, log });
    const otherExternIds = others.filter((one) => wire.weightOf(one) <= 1).map(({ id }) => id);
    if (otherExternIds.length > 0) {
      log.error({ provider: PROVIDER, pkid, reason: 'second_payment' }, 'Tipalti holds two payments of one refCode.');
    }
    return answer.type === 'succeeded' ? { ...answer, otherExternIds } : answer;
  }

  async function findPayee(account: string, limits: CallLimits): Promise<PayeeView | null> {
    if (!PAYEE_ID.test(account)) return null;
    const answer = await call({ path: `/payees/${encodeURIComponent(account)}`, signal: deadlineOf(limits) });
    if (answer.status === 404) return null;
    if (answer.status >= 400) throw unexpected(answer);
    const payee = parseAnswer(PROVIDER, wire.payeeBody, answer.body);
    if (payee.id !== account) throw uncertain({ provider: PROVIDER, reason: 'another_payee' });
    return wire.payeeView(payee);
  }

  async function balance(currency: Currency, limits: CallLimits): Promise<bigint | null> {
    const answer = await call({ path: '/balances', signal: deadlineOf(limits) }).catch(nullIfForbidden);
    // Not every account has this page, nor every client a scope that opens it.
    if (answer === null || answer.status === 404) return null;
    if (answer.status >= 400) throw unexpected(answer);
    const { items } = parseAnswer(PROVIDER, wire.balanceList, parseExact(answer.text));
    const found = items.find((one) => one.currency === currency)?.availableBalance;
    if (found === undefined) return null;
    const money = fromWire(found);
    if (money?.currency !== currency) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
    return money.amountMinor;
  }

  const find = (reference: Reference, limits: CallLimits) => look(reference, deadlineOf(limits));

  return {
    name: 'tipalti',
    live,
    payin: null,
    payout: {
      stages: 1,
      keyRetentionMs: options.keyRetentionMs ?? KEY_RETENTION_MS,
      canFindByKey: true,
      cancelable: false,
      usualMs: USUAL_MS,
      creationEvents: [],
      refusalOf,
      send: sendPayout,
      confirm: confirmPayout,
      // Payments are cancelled in Tipalti's own pages only; what there is to say is what has become of this one.
      cancel: find,
      find,
    },
    refund: null,
    refusalOfAccount: (account) => (PAYEE_ID.test(account) ? null : `${PAYEE_SHAPE} Send the id of a payee.`),
    findPayee,
    findDispute: null,
    findPayin: null,
    findRefund: null,
    balance,
    parseWebhook: (raw, _headers, receivedAt) => parseNotification({ raw, receivedAt }),
  };
}

async function confirmPayout(): Promise<Answer> {
  throw new PaymentError('internal', { detail: 'A Tipalti payout has one stage. Report this with the request_id.' });
}

function addressOf(url: string, path: string): string {
  const given = url.replace(/\/+$/, '');
  return given.toLowerCase().endsWith(path) ? given : given + path;
}

/** One deadline for all requests that a call to the port needs. */
function deadlineOf({ timeoutMs }: CallLimits): AbortSignal {
  if (!(timeoutMs > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
  return AbortSignal.timeout(Math.ceil(timeoutMs));
}

function nullIfForbidden(cause: unknown): null {
  if (cause instanceof PaymentError && cause.surprise?.reason === 'http_403') return null;
  throw cause;
}

/** Nothing is sent for such a name, whichever attempt it is. */
function neverAPayee(): Answer {
  const detail = `${PAYEE_SHAPE} Make a new payout to such a payee.`;
  return { type: 'declined', code: 'declined', detail, externId: null, isOpen: false };
}

/** Only what says that this can never be paid is final. Everything else could also be about a payment that exists. */
function declinedBy(answer: HttpAnswer): Answer {
  const { status, fault } = answer;
  if (fault === null || !FINAL_CODES.has(fault.code)) throw unexpected(answer);
  const detail = providerText(fault.message) || `Declined by Tipalti (${providerText(fault.code)}, ${status}).`;
  return { type: 'declined', code: 'declined', detail, externId: null, isOpen: false };
}

function unexpected({ status, fault }: HttpAnswer): PaymentError {
  const storedError = fault === null ? {} : { storedError: storedErrorOf(status, fault) };
  return uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus: status, ...storedError });
}
