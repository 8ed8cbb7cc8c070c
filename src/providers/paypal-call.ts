// A call to PayPal with an access token. A token that PayPal refuses means that the call was not taken, so it is made
// once more with a new one, and only that once.

import { PaymentError } from '../domain/errors.ts';
import type { CallLimits } from '../domain/provider.ts';
import { createHttp, type HttpAnswer } from './http.ts';
import { PROVIDER, paypalFaultOf } from './paypal-problem.ts';
import { createTokens, type SignIn } from './paypal-token.ts';
import { notTaken, type ProviderLog } from './surprise.ts';

const REFUSED_TOKEN = 'http_401';

export interface PaypalCall {
  readonly path: string;
  /** Present on the calls that change something. */
  readonly body?: object;
  /** PayPal's idempotency header; payouts carry theirs in the body. */
  readonly key?: string;
  readonly signal: AbortSignal;
}

export type Caller = (call: PaypalCall) => Promise<HttpAnswer>;

export function createCaller(signIn: SignIn): Caller {
  const { baseUrl, log } = signIn;
  const tokens = createTokens(signIn);
  const http = createHttp({ provider: PROVIDER, baseUrl, log: withoutEndedTokens(log), faultOf: paypalFaultOf });

  /** The refusal itself when the token was refused, which also forgets it. */
  async function attempt({ path, body, key, signal }: PaypalCall): Promise<HttpAnswer | PaymentError> {
    const token = await tokens.get(signal);
    const headers = {
      authorization: `Bearer ${token}`,
      accept: 'application/json',
      // Else PayPal answers with little more than an id.
      prefer: 'return=representation',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'paypal-request-id': key }),
    };
    try {
      if (body === undefined) return await http.send({ method: 'GET', path, headers, signal });
      return await http.send({ method: 'POST', path, headers, body: JSON.stringify(body), signal });
    } catch (cause) {
      if (!isRefusedToken(cause)) throw cause;
      tokens.forget(token);
      return cause;
    }
  }

  return async function send(call) {
    const first = await attempt(call);
    if (!(first instanceof PaymentError)) return first;
    const second = await attempt(call);
    if (!(second instanceof PaymentError)) return second;
    log.error({ provider: PROVIDER, reason: REFUSED_TOKEN }, 'PayPal refuses its own new token. Check the account.');
    throw second;
  };
}

/** One deadline for all requests that a call to the port needs. */
export function deadlineOf({ timeoutMs }: CallLimits): AbortSignal {
  if (!(timeoutMs > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
  return AbortSignal.timeout(Math.ceil(timeoutMs));
}

function isRefusedToken(cause: unknown): cause is PaymentError {
  return cause instanceof PaymentError && cause.surprise?.reason === REFUSED_TOKEN;
}

/** A token that ends is no error; only the second refusal in a row is one. */
function withoutEndedTokens(log: ProviderLog): ProviderLog {
  return {
    warn: (fields, message) => log.warn(fields, message),
    error(fields, message) {
      if (!('reason' in fields) || fields.reason !== REFUSED_TOKEN) log.error(fields, message);
    },
  };
}
