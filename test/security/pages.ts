// The whole server with its pages, and every route of it as the server itself lists them.

import type { Hono } from 'hono';
import type { ContextEnv } from '../../src/api/request-context.ts';
import { readTimeline } from '../../src/api/views/timeline.ts';
import { createBoard } from '../../src/console/board.ts';
import { createHome } from '../../src/console/home.ts';
import type { Pkid } from '../../src/domain/id.ts';
import type { Rig } from '../api/rig.ts';

export type Server = Hono<ContextEnv>;

export interface Route {
  readonly method: string;
  readonly path: string;
}

export const BOARD = '/admin/queues';

export function withPages(rig: Rig): Server {
  const { app } = rig.remit;
  const readiness = async () => ({ ok: true, checks: {} });
  const board = createBoard({ queues: app.queues, basePath: BOARD });
  const providers = [...app.providers.values()];
  const timeline = (pkid: Pkid) => readTimeline(app.db, pkid);
  const home = createHome({ attention: app.reviews.attention, timeline, readiness, providers });
  return rig.with({ board, console: home, readiness, metrics: app.metrics });
}

/** Without middleware; ids in paths name nothing. */
export function routesOf(server: Server): Route[] {
  const routes = server.routes.filter(({ method }) => method !== 'ALL');
  const places = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:\w+(\{[^}]*\})?\??/g, 'nobody')}`);
  return [...new Set(places)].map((place) => {
    const [method = '', path = ''] = place.split(' ');
    return { method, path };
  });
}

export function basic(key: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`anyone:${key}`).toString('base64')}` };
}
