// The queue board: BullMQ's queues on a page, to look at and nothing else. Whoever mounts it asks for the key first.

import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono, type MiddlewareHandler } from 'hono';
import { csrf } from 'hono/csrf';
import { trimTrailingSlash } from 'hono/trailing-slash';
import type { Queues } from '../runtime/queue.ts';

/** The page asks again by itself this often. */
const POLL_SECONDS = 5;
const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    // The page sets styles on its elements as it draws.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
} as const;
/** The page's template loads fonts from a foreign host; without them it falls back to the system's. */
const FOREIGN_LINK = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/gi;

/** The routes lie under basePath: mount the result at "/". */
export function createBoard(options: { readonly queues: Pick<Queues, 'board'>; readonly basePath: string }): Hono {
  const { basePath } = options;
  const server = new HonoAdapter(serveStatic);
  server.setBasePath(basePath);
  createBullBoard({
    queues: options.queues.board().map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter: server,
    options: {
      uiConfig: { boardTitle: 'remit queues', pollingInterval: { forceInterval: POLL_SECONDS, showSetting: false } },
    },
  });

  const board = new Hono();
  for (const path of [basePath, `${basePath}/*`]) {
    board.use(path, sendHeaders, csrf(), trimTrailingSlash(), refuseChanges, keepAtHome);
  }
  board.route(basePath, server.registerPlugin());
  return board;
}

const sendHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
};

/** The board's own read-only mode lets calls that span all queues through without effect; here they are refused. */
const refuseChanges: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
  const detail = 'The board only shows. To run an operation again, POST /v1/<kind>/<semantic_key>/query.';
  return c.json({ error: detail }, 405, { Allow: 'GET, HEAD' });
};

const keepAtHome: MiddlewareHandler = async (c, next) => {
  await next();
  if (!c.res.headers.get('Content-Type')?.startsWith('text/html')) return;
  c.res = new Response((await c.res.text()).replaceAll(FOREIGN_LINK, ''), c.res);
};
