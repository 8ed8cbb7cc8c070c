// A call to PayPal with an access token.

import type { CallLimits } from '../../domain/provider.ts';
import { createAccessTokens, sendWithToken, withoutEndedTokens } from '../access-token.ts';
import { createHttp, type HttpAnswer } from '../http.ts';
import { notTaken, type ProviderLog } from '../surprise.ts';
import { PROVIDER, paypalFaultOf } from './problem.ts';

export interface PaypalCall {
  readonly path: string;
  /** Present on the calls that change something. */
  readonly body?: object;
  /** PayPal's idempotency header; payouts carry theirs in the body. */
  readonly key?: string;
  readonly signal: AbortSignal;
}

export type Caller = (call: PaypalCall) => Promise<HttpAnswer>;

interface SignIn {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly baseUrl: string;
  readonly log: ProviderLog;
}

const WAY_OUT = 'Check the client id, its secret and the account at PayPal.';

export function createCaller(signIn: SignIn): Caller {
  const { baseUrl, log } = signIn;
  const account = { provider: PROVIDER, log, wayOut: WAY_OUT } as const;
  const tokens = createAccessTokens({ ...account, signIn: signerIn(signIn) });
  const http = createHttp({ provider: PROVIDER, baseUrl, log: withoutEndedTokens(log), faultOf: paypalFaultOf });

  return ({ path, body, key, signal }) =>
    sendWithToken(
      tokens,
      (token) => {
        const headers = {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          // Else PayPal answers with little more than an id.
          prefer: 'return=representation',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { 'paypal-request-id': key }),
        };
        if (body === undefined) return http.send({ method: 'GET', path, headers, signal });
        return http.send({ method: 'POST', path, headers, body: JSON.stringify(body), signal });
      },
      { ...account, signal },
    );
}

function signerIn({ clientId, clientSecret, baseUrl, log }: SignIn): (signal: AbortSignal) => Promise<HttpAnswer> {
  const http = createHttp({ provider: PROVIDER, baseUrl, log, faultOf: paypalFaultOf });
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
  return (signal) =>
    http.send({
      method: 'POST',
      path: '/v1/oauth2/token',
      headers: { authorization, accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials',
      signal,
    });
}

/** One deadline for all requests that a call to the port needs. */
export function deadlineOf({ timeoutMs }: CallLimits): AbortSignal {
  if (!(timeoutMs > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
  return AbortSignal.timeout(Math.ceil(timeoutMs));
}
