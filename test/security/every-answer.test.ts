// Every answer, of the API as of the pages, good or bad, tells browsers what they may not do with it, and tells nobody
// what it was made with.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../src/api/listen.ts';
import { openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Rig, startRig } from '../api/rig.ts';
import { doors } from './doors.ts';
import { BOARD, basic, type Route, routesOf, type Server, withPages } from './pages.ts';

let rig: Rig;
let server: Server;
let routes: readonly Route[];
let key: string;
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  server = withPages(rig);
  routes = routesOf(server);
  key = await rig.key(['read', 'write', 'operate']);
});
afterAll(() => rig.stop());

const ELSEWHERE = { Origin: 'https://elsewhere.example', 'Sec-Fetch-Site': 'cross-site' };

/** Null when the answer is as it must be; else what is wrong with it. */
function faultOf({ headers }: Response): string | null {
  const policy = headers.get('Content-Security-Policy') ?? '';
  const faults = [
    headers.get('X-Content-Type-Options') === 'nosniff' || 'may be sniffed',
    headers.get('X-Frame-Options') === 'DENY' || 'may be framed',
    headers.get('Referrer-Policy') === 'no-referrer' || 'tells where it was left',
    headers.get('Cross-Origin-Resource-Policy') === 'same-origin' || 'may be read by another site',
    /^[\w.:-]+$/.test(headers.get('X-Request-Id') ?? '') || 'has no id',
    policy.startsWith("default-src 'none'") || 'allows by default',
    policy.includes("frame-ancestors 'none'") || 'may be framed by its policy',
    !/script-src[^;]*('unsafe|\*|https?:|data:)/.test(policy) || 'runs scripts from elsewhere',
    [...headers.keys()].every((name) => !/^(access-control-|server$|x-powered-by$)/.test(name)) || 'says too much',
  ];
  const found = faults.filter((fault) => fault !== true);
  return found.length === 0 ? null : found.join(', ');
}

async function faultsWith(headers: Record<string, string>): Promise<string[]> {
  const found: string[] = [];
  for (const { method, path } of routes) {
    const answer = await server.request(path, { method, headers: { ...headers, ...ELSEWHERE } });
    const fault = faultOf(answer);
    if (fault !== null) found.push(`${method} ${path} (${answer.status}) ${fault}`);
  }
  return found;
}

describe('every route of the server', () => {
  it('is looked at: those of the API, the surfaces, the pages and the board', () => {
    const paths = routes.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['/', '/docs', '/metrics', '/problems/nobody', '/v1/audit', BOARD]));
    expect(routes.length).toBeGreaterThan(100);
  });

  it('answers strangers with all its headers', async () => {
    expect(await faultsWith({})).toEqual([]);
  });

  it('answers programs with all its headers', async () => {
    expect(await faultsWith({ Authorization: `Bearer ${key}` })).toEqual([]);
  });

  it('answers people with all its headers', async () => {
    expect(await faultsWith(basic(key))).toEqual([]);
  });
});

it('what takes a key is kept by no cache', async () => {
  for (const { method, path } of routes) {
    const stranger = await server.request(path, { method });
    if (stranger.status !== 401) continue;
    for (const headers of [{ Authorization: `Bearer ${key}` }, basic(key)]) {
      const answer = await server.request(path, { method, headers });
      const isKept = !answer.headers.get('Cache-Control')?.includes('no-store');
      const isFile = path.startsWith(`${BOARD}/static/`);
      expect([method, path, isKept && !isFile]).toEqual([method, path, false]);
    }
  }
});

it.each([
  ['an address that is not there', 'GET', '/nothing', 404],
  ['one that looks like a file', 'GET', '/.env', 404],
  ['one outside', 'GET', '/docs/..%2f..%2fpackage.json', 404],
  ['a method that is not there', 'DELETE', '/v1/wallets', 405],
  ['a method of none', 'PROPFIND', '/docs', 405],
  ['a preflight', 'OPTIONS', '/v1/payouts', 405],
])('%s is answered with all headers, too', async (_what, method, path, status) => {
  const answer = await server.request(path, {
    method,
    headers: { ...ELSEWHERE, 'Access-Control-Request-Method': 'PUT' },
  });
  expect([answer.status, faultOf(answer)]).toEqual([status, null]);
});

it('a defect is answered with all headers, too', async () => {
  const audit = () => Promise.reject(new Error('no'));
  const answer = await rig.with({ audit }).request('/v1/audit', {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
  });
  expect([answer.status, faultOf(answer)]).toEqual([500, null]);
});

it('a database that is away is 503 on every route that takes a key, with the time to come back', async () => {
  const db = await openDb('postgres://nobody@127.0.0.1:1/nothing', { log: silentLogger() });
  const away = rig.with({ db });
  for (const { method, address } of doors) {
    const headers = { Authorization: `Bearer ${key}` };
    const answer = await away.request(address, { method, headers });
    const { code }: { code: string } = JSON.parse(await answer.text());
    expect([address, answer.status, code, faultOf(answer)]).toEqual([address, 503, 'unavailable', null]);
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0);
  }
  await db.close();
});

it('a process that is still starting answers with all headers, too', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0, portAsked: true });
  const answer = await fetch(`http://127.0.0.1:${listener.port}/v1/wallets`);
  await listener.close();
  expect([answer.status, faultOf(answer)]).toEqual([503, null]);
});
