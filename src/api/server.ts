// The HTTP API: every route of the list behind the same door (id, key, rate, handler), the pages and surfaces beside
// it, and one place where errors become answers.

import { Hono } from 'hono';
import { PaymentError } from '../domain/errors.ts';
import { authenticate, createKeyRing } from './auth.ts';
import { type BrowserAuth, createBrowserAuth } from './browser-auth.ts';
import { createContext } from './context.ts';
import { docs } from './docs.ts';
import type { ApiOptions } from './options.ts';
import { honoPath, methodsOf } from './paths.ts';
import { problemPages } from './problem-pages.ts';
import { asPaymentError, problemResponse } from './problems.ts';
import { createRateLimit } from './rate-limit.ts';
import { type ContextEnv, requestContext } from './request-context.ts';
import { endpoints } from './routes/all.ts';
import { surfaces } from './surfaces.ts';

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
      const answer = await endpoint.respond(c.req, { caller, requestId: c.get('requestId') }, api);
      c.set('hasHeaders', true);
      return answer;
    });
  }
  app.route('/', surfaces(options, { keys, limitRate }));
  app.route('/', problemPages());
  app.route('/', docs());
  mountPages(app, options, createBrowserAuth(keys));

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

/** The pages' own routes are the ones that ask for a key, so that an unknown address stays an unknown address. */
function mountPages(app: Hono<ContextEnv>, { board, console: pages }: ApiOptions, auth: BrowserAuth): void {
  if (board !== undefined) {
    // Matches the address without anything behind it too.
    app.use('/admin/queues/*', auth('operate'));
    app.route('/', board);
  }
  if (pages !== undefined) {
    const paths = pages.routes.filter(({ method }) => method !== 'ALL').map(({ path }) => path);
    for (const path of new Set(paths)) app.use(path, auth('read'));
    app.route('/', pages);
  }
}
