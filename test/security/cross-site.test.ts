// A person who is signed in visits another site: nothing that it sends in their name changes anything, and nothing of
// the pages is given to it. The pages change nothing for anybody else either.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, revokeApiKey } from '../../src/jobs/api-key.ts';
import { type Rig, startRig } from '../api/rig.ts';
import { BOARD, basic, type Route, routesOf, type Server, withPages } from './pages.ts';

let rig: Rig;
let server: Server;
let pages: readonly Route[];
let operator: Record<string, string>;
let session: Record<string, string>;
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  server = withPages(rig);
  operator = basic(await rig.key(['read', 'write', 'operate']));
  const cookie = (await server.request('/', { headers: operator })).headers.get('Set-Cookie') ?? '';
  session = { Cookie: cookie.split(';')[0] ?? '' };
  const answers = await Promise.all(routesOf(server).map(async (route) => ({ route, ...(await ask(route, {})) })));
  // What asks for basic auth is a page; what asks for a bearer is the API, which no browser can call by itself.
  pages = answers.filter(({ asks }) => asks.startsWith('Basic')).map(({ route }) => route);
  await rig.remit.app.queues.add('payout', [{ id: 'payout-held', data: { pkid: 'x' } }]);
});
afterAll(() => rig.stop());

async function ask({ method, path }: Route, headers: Record<string, string>, body?: string) {
  const answer = await server.request(path, { method, headers, ...(body !== undefined && { body }) });
  return {
    status: answer.status,
    asks: answer.headers.get('WWW-Authenticate') ?? '',
    cookie: answer.headers.get('Set-Cookie') ?? '',
  };
}

/** Everything that a page could change. */
const stateOf = () =>
  Promise.all(
    rig.remit.app.queues.board().map(async (queue) => ({
      counts: await queue.getJobCounts(),
      isPaused: await queue.isPaused(),
      concurrency: await queue.getGlobalConcurrency(),
      schedulers: await queue.getJobSchedulers(),
    })),
  );

/** How a browser sends what another site tells it to, and what a program sends that plays a browser. */
const SENDERS: readonly (readonly [string, Record<string, string>, string])[] = [
  ['a form of another site', { Origin: 'https://elsewhere.example' }, 'application/x-www-form-urlencoded'],
  ['a form of text', { Origin: 'https://elsewhere.example' }, 'text/plain'],
  ['a form with a file', { Origin: 'https://elsewhere.example' }, 'multipart/form-data; boundary=x'],
  ['a sandboxed frame', { Origin: 'null' }, 'text/plain'],
  ['an origin that begins alike', { Origin: 'http://localhost.elsewhere.example' }, 'text/plain'],
  ['another port of this host', { Origin: 'http://localhost:1' }, 'text/plain'],
  ['another scheme of this host', { Origin: 'https://localhost' }, 'text/plain'],
  ['no origin', {}, 'application/x-www-form-urlencoded'],
  ['no origin and no type', {}, ''],
  ['a site that says that it is another', { 'Sec-Fetch-Site': 'cross-site' }, 'text/plain'],
  ['a script of this page', { Origin: 'http://localhost', 'Sec-Fetch-Site': 'same-origin' }, 'application/json'],
];

it('there are pages to look at, with routes that would change something', () => {
  expect(pages.map(({ path }) => path)).toEqual(expect.arrayContaining(['/', '/console.css', BOARD]));
  expect(pages.filter(({ method }) => method !== 'GET').length).toBeGreaterThan(10);
});

describe.each(SENDERS)('what comes from %s', (_who, headers, type) => {
  it('changes nothing, whether it rides on a session or on a password that the browser remembers', async () => {
    const before = await stateOf();
    for (const route of pages.filter(({ method }) => method !== 'GET')) {
      for (const who of [session, operator]) {
        const given = { ...who, ...headers, ...(type !== '' && { 'Content-Type': type }) };
        const { status } = await ask(route, given, 'name=x');
        expect([route, [403, 405].includes(status)]).toEqual([route, true]);
      }
    }
    expect(await stateOf()).toEqual(before);
  });
});

it('no page that is only looked at changes anything', async () => {
  const before = await stateOf();
  for (const route of pages.filter(({ method }) => method === 'GET')) await ask(route, session);
  expect(await stateOf()).toEqual(before);
});

describe('every page', () => {
  it('asks strangers for a key, and takes none that lacks the scope', async () => {
    const writer = basic(await rig.key(['write']));
    for (const route of pages) {
      expect([route, (await ask(route, {})).status]).toEqual([route, 401]);
      expect([route, (await ask(route, { Cookie: 'remit_session=guessed' })).status]).toEqual([route, 401]);
      expect([route, (await ask(route, writer)).status]).toEqual([route, 403]);
    }
  });

  it('makes a session that no script can read, no other site can send, and the API does not take', async () => {
    const { cookie } = await ask({ method: 'GET', path: '/' }, operator);
    const parts = cookie.split('; ').slice(1);
    expect(parts).toEqual(expect.arrayContaining(['HttpOnly', 'SameSite=Strict', 'Path=/']));
    expect(parts.some((part) => part.startsWith('Domain'))).toBe(false);
    const secure = await ask({ method: 'GET', path: '/' }, { ...operator, 'X-Forwarded-Proto': 'https' });
    expect(secure.cookie.split('; ')).toContain('Secure');
    for (const method of ['GET', 'POST']) {
      expect((await ask({ method, path: '/v1/wallets' }, session)).status).toBe(401);
      expect((await ask({ method, path: '/v1/wallets' }, operator)).status).toBe(401);
    }
  });

  it('ends its session with the key that made it', async () => {
    const { key, keyId } = await createKey();
    const { cookie } = await ask({ method: 'GET', path: '/' }, basic(key));
    const own = { Cookie: cookie.split(';')[0] ?? '' };
    expect((await ask({ method: 'GET', path: '/' }, own)).status).toBe(200);
    await revokeApiKey(rig.remit.app.db, keyId);
    await expect.poll(async () => (await ask({ method: 'GET', path: '/' }, own)).status, POLL).toBe(401);
  });
});

const POLL = { timeout: 5_000, interval: 50 } as const;
const createKey = () => createApiKey(rig.remit.app.db, { name: 'person', scopes: ['read'] });
