// Tipalti's sign-in: short-lived bearer tokens for a client's credentials or a refresh token.
import { randomBytes } from 'node:crypto';
import { type Answer, header, jsonAnswer, type WireRequest } from '../answer.ts';
import { issueToken, isTokenGood } from '../token.ts';
import type { World } from '../world.ts';

const LIFE_MS = 60 * 60 * 1000;
const SCOPES = 'tipalti.api.payee.read tipalti.api.payment.read tipalti.api.payment-batch.write';

export function signIn(request: WireRequest, world: World): Answer {
  const form = new URLSearchParams(request.body);
  if (!hasClient(request, form)) return refused('invalid_client', 'Send client_id and client_secret.');
  const grant = form.get('grant_type');
  if (grant === 'client_credentials') return jsonAnswer(200, grantedToken(world, form));
  if (grant !== 'refresh_token') {
    return refused('unsupported_grant_type', 'Send grant_type client_credentials or refresh_token.');
  }
  const given = form.get('refresh_token') ?? '';
  // The word plays a token that was withdrawn in Tipalti's own pages.
  if (given === '' || given.includes('revoked')) {
    return refused('invalid_grant', 'The refresh token is missing or was withdrawn. Authorise the client again.');
  }
  return jsonAnswer(200, { ...grantedToken(world, form), refresh_token: `tprt_${randomBytes(16).toString('hex')}` });
}

export function isSignedIn(request: WireRequest, world: World): boolean {
  const text = /^Bearer (\S+)$/i.exec(header(request, 'authorization') ?? '')?.[1];
  return text !== undefined && isTokenGood(world, { provider: 'tipalti', text });
}

function grantedToken(world: World, form: URLSearchParams) {
  const { text, expiresInSeconds } = issueToken(world, { provider: 'tipalti', lifeMs: LIFE_MS });
  return {
    access_token: text,
    expires_in: expiresInSeconds,
    token_type: 'Bearer',
    scope: form.get('scope') ?? SCOPES,
  };
}

function hasClient(request: WireRequest, form: URLSearchParams): boolean {
  if (form.get('client_id') && form.get('client_secret')) return true;
  const basic = /^Basic (\S+)$/i.exec(header(request, 'authorization') ?? '')?.[1] ?? '';
  return /^[^:]+:[^:]+$/.test(Buffer.from(basic, 'base64').toString('utf8'));
}

function refused(error: string, description: string): Answer {
  return jsonAnswer(400, { error, error_description: description });
}
