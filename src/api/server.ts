// The HTTP API: every route of the list behind the same door (id, key, rate, handler), and one place where errors
// become answers.

import { Hono } from 'hono';
import { PaymentError } from '../domain/errors.ts';
import { authenticate, createKeyRing } from './auth.ts';
import { createContext } from './context.ts';
import type { Endpoint } from './endpoint.ts';
import type { ApiOptions } from './options.ts';
import { honoPath, methodsOf } from './paths.ts';
import { asPaymentError, problemResponse } from './problems.ts';
import { createRateLimit } from './rate-limit.ts';
import { type ContextEnv, requestContext } from './request-context.ts';
import { endpoints } from './routes/all.ts';

export { openApiDocument } from './openapi.ts';

export function createApi(options: ApiOptions): Hono<ContextEnv> {
  const { db, config, log } = options;
  const api = createContext(options);
  const keys = createKeyRing(db);
  const limitRate = createRateLimit(config.rateLimitRps);
  const app = new Hono<ContextEnv>();

  app.onError((thrown, c) => {
    const error = asPaymentError(thrown);
    const requestId = c.get('requestId');
    if (error.kind === 'internal') log.error({ err: error, request_id: requestId }, 'a request failed');
    if (error.kind === 'unavailable') log.warn({ err: error, request_id: requestId }, 'a request was turned away');
    return problemResponse(error, requestId);
  });
  app.use(requestContext(options));

  for (const endpoint of endpoints) {
    app.on(endpoint.method.toUpperCase(), honoPath(endpoint.path), async (c) => {
      c.set('route', endpoint.path);
      const caller = await authenticate(keys, c.req.header('authorization'));
      limitRate(caller.keyId);
      return endpoint.respond(c.req, { caller, requestId: c.get('requestId') }, api);
    });
  }

  app.notFound((c) => {
    const allowed = methodsOf(app.routes, c.req.path);
    if (allowed.length === 0) {
      const detail = 'There is no such route. /docs lists every route.';
      return problemResponse(new PaymentError('not-found', { detail }), c.get('requestId'));
    }
    const answer = problemResponse(new PaymentError('method-not-allowed'), c.get('requestId'));
    answer.headers.set('Allow', allowed.join(', '));
    return answer;
  });
  return app;
}
