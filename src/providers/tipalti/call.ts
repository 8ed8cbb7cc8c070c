// A call to Tipalti's interface with a bearer token.

import { createAccessTokens, sendWithToken, withoutEndedTokens } from '../access-token.ts';
import { createHttp, type HttpAnswer } from '../http.ts';
import type { ProviderLog } from '../surprise.ts';
import { tipaltiFaultOf } from './wire.ts';

const PROVIDER = 'tipalti';
const WAY_OUT = "Check Tipalti's client, its secret and scopes, and the refresh token.";

interface TipaltiCall {
  readonly path: string;
  /** Present on the call that pays. */
  readonly body?: string;
  readonly signal: AbortSignal;
}

type Caller = (call: TipaltiCall) => Promise<HttpAnswer>;

interface SignIn {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  readonly tokenUrl: string;
  readonly log: ProviderLog;
}

export function createCaller({ baseUrl, ...signIn }: SignIn & { readonly baseUrl: string }): Caller {
  const { log } = signIn;
  const account = { provider: PROVIDER, log, wayOut: WAY_OUT } as const;
  const tokens = createAccessTokens({ ...account, ...refreshing(signIn) });
  const http = createHttp({ provider: PROVIDER, baseUrl, log: withoutEndedTokens(log), faultOf: tipaltiFaultOf });

  return ({ path, body, signal }) =>
    sendWithToken(
      tokens,
      (token) => {
        const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
        if (body === undefined) return http.send({ method: 'GET', path, headers, signal });
        const typed = { ...headers, 'content-type': 'application/json' };
        return http.send({ method: 'POST', path, headers: typed, body, signal });
      },
      { ...account, signal },
    );
}

/** A grant may bring a new refresh token, and then the one before it may be void. */
function refreshing({ clientId, clientSecret, refreshToken, tokenUrl, log }: SignIn) {
  const http = createHttp({ provider: PROVIDER, baseUrl: tokenUrl, log, faultOf: tipaltiFaultOf });
  let nextRefreshToken = refreshToken;
  return {
    signIn(signal: AbortSignal): Promise<HttpAnswer> {
      const form = { grant_type: 'refresh_token', refresh_token: nextRefreshToken };
      return http.send({
        method: 'POST',
        path: '',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ ...form, client_id: clientId, client_secret: clientSecret }).toString(),
        signal,
      });
    },
    onRefreshToken(text: string): void {
      nextRefreshToken = text;
    },
  };
}
