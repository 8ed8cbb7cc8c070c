// A call to Tipalti's interface with a bearer token. A token that Tipalti refuses means that the call was not taken,
// so it is made once more with a new one, and only that one.

import { PaymentError } from '../domain/errors.ts';
import { createHttp, type HttpAnswer } from './http.ts';
import type { ProviderLog } from './surprise.ts';
import { createTokens, type SignIn } from './tipalti-token.ts';
import { tipaltiFaultOf } from './tipalti-wire.ts';

const PROVIDER = 'tipalti';
const REFUSED_TOKEN = 'http_401';

interface TipaltiCall {
  readonly path: string;
  /** Present on the call that pays. */
  readonly body?: string;
  readonly signal: AbortSignal;
}

type Caller = (call: TipaltiCall) => Promise<HttpAnswer>;

export function createCaller({ baseUrl, ...signIn }: SignIn & { readonly baseUrl: string }): Caller {
  const { log } = signIn;
  const tokens = createTokens(signIn);
  const http = createHttp({ provider: PROVIDER, baseUrl, log: withoutEndedTokens(log), faultOf: tipaltiFaultOf });

  /** The refusal itself when the token was refused, which also forgets it. */
  async function attempt({ path, body, signal }: TipaltiCall): Promise<HttpAnswer | PaymentError> {
    const token = await tokens.get(signal);
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    try {
      if (body === undefined) return await http.send({ method: 'GET', path, headers, signal });
      const typed = { ...headers, 'content-type': 'application/json' };
      return await http.send({ method: 'POST', path, headers: typed, body, signal });
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
    log.error({ provider: PROVIDER, reason: REFUSED_TOKEN }, 'Tipalti refuses its own new token. Check its scopes.');
    throw second;
  };
}

function isRefusedToken(cause: unknown): cause is PaymentError {
  return cause instanceof PaymentError && cause.surprise?.reason === REFUSED_TOKEN;
}

/** A token that ends is no error; only the second refusal in a row is one. */
function withoutEndedTokens(log: ProviderLog): ProviderLog {
  return {
    warn: (fields, message) => log.warn(fields, message),
    error(fields, message) {
      if (!('reason' in fields && fields.reason === REFUSED_TOKEN)) log.error(fields, message);
    },
  };
}
