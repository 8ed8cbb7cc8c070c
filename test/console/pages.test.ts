// The pages as an operator sees them, in a real browser: they load, contact no foreign host, show what needs a
// person, and cannot change anything.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listener, listen } from '../../src/api/listen.ts';
import { createApi } from '../../src/api/server.ts';
import { readTimeline } from '../../src/api/views/timeline.ts';
import { createBoard } from '../../src/console/board.ts';
import { createHome } from '../../src/console/home.ts';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { createApiKey } from '../../src/jobs/api-key.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';
import { browserPath, openBrowser } from '../harness/browser.ts';

const executablePath = browserPath();
/** As long as keys may be. */
const LONG_KEY = `payout:${'2026-11-'.repeat(16)}`.slice(0, 128);
/** What the browser made of the page; as text, because the types of a browser's own objects are not loaded here. */
const LAYOUT = `
  const linesOf = (cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const key = all('td.id').find((cell) => cell.textContent.startsWith('payout:2026'));
  const { color, backgroundColor } = getComputedStyle(document.body);
  ({
    broken: all('th, td:not(.text)').filter((cell) => linesOf(cell) > 1).map((cell) => cell.textContent),
    scrolled: all('html, section').filter((box) => box.scrollWidth > box.clientWidth).length,
    title: key?.title,
    isCut: key?.scrollWidth > key?.clientWidth,
    isReadable: color !== backgroundColor,
  })`;

describe.skipIf(executablePath === null)('the pages', () => {
  let remit: TestRemit;
  let listener: Listener;
  let browser: Browser;
  let origin: string;
  let operateKey: string;
  let readKey: string;

  beforeAll(async () => {
    remit = await startRemit();
    const { app } = remit;
    listener = await listen({ host: '127.0.0.1', port: 0, portAsked: false });
    const readiness = async () => ({ ok: true, checks: { database: { ok: true, detail: 'answers' } } });
    const board = createBoard({ queues: app.queues, basePath: '/admin/queues' });
    const timeline = (pkid: Pkid) => readTimeline(app.db, pkid);
    const home = createHome({
      attention: app.reviews.attention,
      timeline,
      readiness,
      providers: [...app.providers.values()],
    });
    const api = createApi({ ...app, readiness, board, console: home });
    listener.serve((request) => api.fetch(request));
    origin = `http://127.0.0.1:${listener.port}`;
    operateKey = (await createApiKey(app.db, { name: 'operator', scopes: ['read', 'operate'] })).key;
    readKey = (await createApiKey(app.db, { name: 'reader', scopes: ['read'] })).key;
    await remit.fundedWallet('w-page', 5_000n);
    await remit.payout('meta', { walletId: 'w-page', amountMinor: 1_000n, to: 'acct_ok_1' });
    await remit.settled('meta');
    await remit.payout('page:stuck', { walletId: 'w-page', amountMinor: 4_000n, to: 'acct_never_1' });
    await remit.settled('page:stuck', (payout) => payout.attempt >= 1 && !payout.leased);
    await app.db
      .em()
      .execute(`UPDATE payout SET review_reason = 'key_expired', review_since = now() WHERE pkid = ?`, [
        pkidOf('payout', 'page:stuck'),
      ]);
    await app.db.em().execute(
      `INSERT INTO discrepancy (discrepancy_id, reason, provider, operation_kind, pkid, semantic_key, amount, currency,
                                detail, opened_at)
       VALUES (gen_random_uuid(), 'not_compensated', 'tipalti', 'refund', ?, ?, 99999999999999999, 'USD', ?, now())`,
      [pkidOf('refund', LONG_KEY), LONG_KEY, `Nobody knows "${LONG_KEY}" here. ${'Look at the provider. '.repeat(8)}`],
    );
    // As a review opens one: for the record, and closed with it.
    await app.db.em().execute(
      `INSERT INTO discrepancy (discrepancy_id, reason, operation_kind, pkid, semantic_key, detail, opened_at)
       VALUES (gen_random_uuid(), 'key_expired', 'payout', ?, 'page:stuck', 'It may have been paid.', now())`,
      [pkidOf('payout', 'page:stuck')],
    );
    browser = await openBrowser(executablePath ?? '');
  });
  afterAll(async () => {
    await browser?.close();
    await listener?.close();
    await remit?.stop();
  });

  test('ask for a key, and take it as the password of any user', async () => {
    // A browser that has no key to give gets no further than the question for one.
    const stranger = await (await browser.newContext()).newPage();
    await expect(stranger.goto(`${origin}/`)).rejects.toThrow('ERR_INVALID_AUTH_CREDENTIALS');
    const guest = await (await signedIn('not-a-key')).newPage();
    expect((await guest.goto(`${origin}/`))?.status()).toBe(401);
    const reader = await (await signedIn(readKey)).newPage();
    expect((await reader.goto(`${origin}/`))?.status()).toBe(200);
    expect((await reader.goto(`${origin}/admin/queues`))?.status()).toBe(403);
  });

  test('the console shows what needs a person, with its money', async () => {
    const { page, hosts } = await visit('/');
    await page.getByText('page:stuck').first().waitFor();
    const text = await page.locator('main').innerText();
    expect(text).toContain('key_expired');
    expect(text).toContain('40.00 USD');
    expect(await page.locator('header').innerText()).toContain('stripe: sandbox');
    expect(hosts()).toEqual([new URL(origin).host]);
  });

  test('the console counts what is in review once, and shows the ids that closing a discrepancy takes', async () => {
    const { page } = await visit('/');
    expect(await page.title()).toBe('remit: 2 need attention');
    const text = await page.locator('main').innerText();
    expect(text).toContain('2 things need a person.');
    expect(text).not.toContain('It may have been paid.');
    expect(text).toMatch(/discrepancy_id [0-9a-f-]{36}/);
    expect(text).toContain(`pkid ${pkidOf('refund', LONG_KEY)}`);
  });

  test('a key leads to its timeline, and what needs a person to the runbook', async () => {
    const { page, problems } = await visit('/');
    await page.getByRole('link', { name: 'page:stuck' }).first().click();
    await page.getByText('provider_call').first().waitFor();
    expect(await page.locator('h1').innerText()).toBe('payout page:stuck');
    expect(await page.locator('main').innerText()).toContain('from initialized, to in_process');
    expect((await page.goto(`${origin}/timeline/payout/nobody`))?.status()).toBe(404);
    await page.goto(`${origin}/`);
    await page.getByRole('link', { name: 'runbook', exact: true }).click();
    await page.getByText('# Runbook').waitFor();
    expect(problems()).toEqual([]);
  });

  test('the figures are read anew, but nothing moves while somebody points at it or selects it', async () => {
    const page = await (await signedIn(operateKey)).newPage();
    await page.clock.install();
    await page.goto(`${origin}/`);
    await page.evaluate(`document.querySelector('main').append('as it was')`);
    const isStill = () => page.getByText('as it was').isVisible();
    const later = () => page.clock.runFor(6_000);
    await page.hover('main p');
    await later();
    expect(await isStill()).toBe(true);
    await page.mouse.move(0, 0);
    await page.evaluate(`getSelection().selectAllChildren(document.querySelector('main p'))`);
    await later();
    expect(await isStill()).toBe(true);
    await page.evaluate(`getSelection().removeAllRanges()`);
    await later();
    await page.getByText('as it was').waitFor({ state: 'detached' });
    await page.getByText('page:stuck').first().waitFor();
  });

  test.each([
    [1280, 'light'],
    [1280, 'dark'],
    [1440, 'light'],
    [1440, 'dark'],
  ] as const)(
    'the console at %i px (%s) breaks no word, and what it cuts is whole in its title',
    async (width, scheme) => {
      const { page } = await visit('/');
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: scheme });
      const seen = await page.evaluate(LAYOUT);
      expect(seen).toEqual({ broken: [], scrolled: 0, title: LONG_KEY, isCut: true, isReadable: true });
    },
  );

  test('the board lists the queues, and a payout under its semantic key', async () => {
    const { page, hosts, problems } = await visit('/admin/queues');
    for (const queue of ['payout', 'transfer', 'webhook-in', 'maintenance']) {
      await page.getByText(queue, { exact: true }).first().waitFor();
    }
    await page.goto(`${origin}/admin/queues/queue/payout?status=completed`);
    await page.getByText('payout-meta').first().waitFor();
    expect(hosts()).toEqual([new URL(origin).host]);
    expect(problems()).toEqual([]);
  });

  test('the board refuses to retry or add, whoever asks', async () => {
    const { page } = await visit('/admin/queues');
    const answers = await page.evaluate(async () => {
      const paths = ['/payout/payout-meta/retry', '/payout/add', '/payout/payout-meta/clean', '/payout/pause'];
      const send = (path: string) => fetch(`/admin/queues/api/queues${path}`, { method: 'PUT' });
      return Promise.all(paths.map(async (path) => (await send(path)).status));
    });
    for (const status of answers) expect([403, 405]).toContain(status);
  });

  test('the API reference loads from this host alone', async () => {
    const { page, hosts, problems } = await visit('/docs');
    await page.getByText('/v1/payouts/{semantic_key}/confirm').first().waitFor();
    expect(hosts()).toEqual([new URL(origin).host]);
    expect(problems()).toEqual([]);
  });

  async function signedIn(password: string): Promise<BrowserContext> {
    return browser.newContext({ httpCredentials: { username: 'anybody', password } });
  }

  async function visit(path: string): Promise<{ page: Page; hosts: () => string[]; problems: () => string[] }> {
    const page = await (await signedIn(operateKey)).newPage();
    const hosts = new Set<string>();
    const problems: string[] = [];
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    page.on('pageerror', (error) => problems.push(error.message));
    expect((await page.goto(`${origin}${path}`))?.status()).toBe(200);
    return { page, hosts: () => [...hosts].filter((host) => host !== ''), problems: () => problems };
  }
});
