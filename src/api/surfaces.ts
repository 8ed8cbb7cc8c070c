// What programs around remit ask for: health, readiness, metrics, and the way in for providers' webhooks.

import { Hono } from 'hono';
import { PaymentError } from '../domain/errors.ts';
import { PROVIDERS } from '../domain/provider.ts';
import { authenticate, type KeyRing, requireScope } from './auth.ts';
import { readBytes, WEBHOOK_BYTES_MAX } from './body.ts';
import type { ApiOptions } from './options.ts';
import type { RateLimit } from './rate-limit.ts';
import { answerHeaders, type ContextEnv } from './request-context.ts';

export function surfaces(
  { readiness, metrics, events }: ApiOptions,
  { keys, limitRate }: { keys: KeyRing; limitRate: RateLimit },
): Hono<ContextEnv> {
  const app = new Hono<ContextEnv>();

  app.get('/healthz', (c) => {
    c.set('route', '/healthz');
    return c.json({ ok: true });
  });

  app.get('/readyz', async (c) => {
    c.set('route', '/readyz');
    const { ok, checks } = await readiness();
    return c.json({ ok, checks }, ok ? 200 : 503, ok ? {} : { 'Retry-After': '1' });
  });

  app.get('/metrics', async (c) => {
    c.set('route', '/metrics');
    const caller = await authenticate(keys, c.req.header('authorization'));
    limitRate(caller.keyId);
    requireScope(caller, 'read');
    if (metrics === undefined) throw new PaymentError('not-found', { detail: 'This process keeps no metrics.' });
    return c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType });
  });

  app.post('/webhooks/:provider', async (c) => {
    c.set('route', '/webhooks/{provider}');
    const provider = PROVIDERS.find((name) => name === c.req.param('provider'));
    if (provider === undefined) {
      throw new PaymentError('not-found', { detail: 'There is no such provider. Check the address of the webhook.' });
    }
    const raw = await readBytes(c.req, WEBHOOK_BYTES_MAX);
    // 200 only after the commit: until then the provider keeps the event and sends it again.
    const result = await events.receive({ provider, raw, headers: c.req.header() });
    c.set('hasHeaders', true);
    return new Response(JSON.stringify({ result }), {
      headers: { ...answerHeaders(c.get('requestId')), 'Content-Type': 'application/json' },
    });
  });

  return app;
}
