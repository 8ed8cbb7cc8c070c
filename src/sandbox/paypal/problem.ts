// PayPal's errors.
import { type Answer, jsonAnswer } from '../answer.ts';
import { newId } from '../payment.ts';
import type { Defect } from '../schema.ts';

export type Detail = { issue: string; description: string; field?: string; location?: string };
type Link = { href: string; rel: string; method: string };
type More = { details?: Detail[]; links?: Link[] };

export function problem(status: number, name: string, message: string, { details, links = [] }: More = {}): Answer {
  const debug = newId('').slice(0, 13);
  return jsonAnswer(
    status,
    { name, message, debug_id: debug, ...(details ? { details } : {}), links },
    { 'paypal-debug-id': debug },
  );
}

export function unprocessable(issue: string, description: string): Answer {
  const message = 'The requested action could not be performed, semantically incorrect, or failed business validation.';
  return problem(422, 'UNPROCESSABLE_ENTITY', message, { details: [{ issue, description }] });
}

const ISSUES = {
  unknown: 'INVALID_PARAMETER',
  missing: 'MISSING_REQUIRED_PARAMETER',
  wrong: 'INVALID_PARAMETER_SYNTAX',
} satisfies Record<Defect['kind'], string>;

export function invalid({ kind, field, detail }: Defect): Answer {
  const path = `/${field.replaceAll(/\[([^\]]+)\]/g, '/$1')}`;
  const description = `The field ${path} ${detail}. Correct it and send again.`;
  const isHeader = field === 'PayPal-Request-Id';
  const issue = isHeader && kind === 'missing' ? 'PAYPAL_REQUEST_ID_REQUIRED' : ISSUES[kind];
  const details = [{ field: path, location: isHeader ? 'header' : 'body', issue, description }];
  const message = 'Request is not well-formed, syntactically incorrect, or violates schema.';
  return problem(400, 'INVALID_REQUEST', message, { details });
}

export function notFound(): Answer {
  const details = [
    { issue: 'INVALID_RESOURCE_ID', description: 'The resource ID does not exist. Check it and try again.' },
  ];
  return problem(404, 'RESOURCE_NOT_FOUND', 'The specified resource does not exist.', { details });
}

export function serverError(): Answer {
  return problem(500, 'INTERNAL_SERVER_ERROR', 'An internal server error occurred.');
}

export function unavailable(): Answer {
  return problem(503, 'SERVICE_UNAVAILABLE', 'Service Unavailable.');
}

export function rateLimited(): Answer {
  return problem(429, 'RATE_LIMIT_REACHED', 'Too many requests. Blocked due to rate limiting.');
}

export function inProgress(): Answer {
  const description = 'A previous request with this id is still in progress. Repeat this one later.';
  const details = [{ issue: 'PREVIOUS_REQUEST_IN_PROGRESS', description }];
  const message = 'The server has detected a conflict while processing this request.';
  return problem(409, 'RESOURCE_CONFLICT', message, { details });
}

export function idReused(): Answer {
  const description = 'This PayPal-Request-Id was used for another request. Use a new one for a different request.';
  return unprocessable('PAYPAL_REQUEST_ID_PREVIOUSLY_USED', description);
}

export function unauthorized(hasToken: boolean): Answer {
  if (hasToken) {
    const text = 'The token is unknown or has expired. Get a new one at /v1/oauth2/token.';
    return jsonAnswer(401, { error: 'invalid_token', error_description: text });
  }
  const message = 'Authentication failed due to missing authorization header, or invalid authentication credentials.';
  return problem(401, 'AUTHENTICATION_FAILURE', message);
}
