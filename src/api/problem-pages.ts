// The pages behind the `type` of every problem: what it means and what to do.

import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import { ERRORS, type ErrorCode, PaymentError } from '../domain/errors.ts';
import type { ContextEnv } from './request-context.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
/** The pages change with a release only. */
const CACHE = 'public, max-age=3600';

export function problemPages(): Hono<ContextEnv> {
  const pages = new Hono<ContextEnv>();
  pages.get('/problems', (c) => {
    const rows = CODES.map((code) => ({ type: `/problems/${code}`, code, ...shown(code) }));
    if (wantsJson(c)) return c.json({ data: rows }, 200, { 'Cache-Control': CACHE });
    const list = rows.map(
      ({ type, code, title, status }) => html`<li><a href="${type}">${code}</a> (${status}): ${title}</li>`,
    );
    return page(c, { title: 'Problems', body: html`<h1>Problems</h1><ul>${list}</ul>` });
  });
  pages.get('/problems/:code', (c) => {
    const code = CODES.find((known) => known === c.req.param('code'));
    if (code === undefined) {
      throw new PaymentError('not-found', { detail: 'There is no such problem. /problems lists them all.' });
    }
    const { title, status, explanation, way_out } = shown(code);
    if (wantsJson(c)) {
      return c.json({ type: `/problems/${code}`, code, ...shown(code) }, 200, { 'Cache-Control': CACHE });
    }
    return page(c, {
      title,
      body: html`<h1>${title}</h1>
        <p><code>${code}</code>, HTTP ${status}</p>
        <p>${explanation}</p>
        <h2>What to do</h2>
        <p>${way_out}</p>
        <p><a href="/problems">All problems</a></p>`,
    });
  });
  return pages;
}

const CODES = Object.keys(ERRORS).filter(isCode);

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function shown(code: ErrorCode) {
  const { title, status, explanation, wayOut } = ERRORS[code];
  return { title, status, explanation, way_out: wayOut };
}

/** Whoever names JSON before HTML, or names no HTML at all, is a program. */
function wantsJson(c: Context): boolean {
  const accept = c.req.header('accept') ?? '';
  const json = accept.search(/application\/(problem\+)?json/i);
  const htmlAt = accept.search(/text\/html/i);
  return json >= 0 && (htmlAt < 0 || json < htmlAt);
}

function page(c: Context, { title, body }: { title: string; body: ReturnType<typeof html> }) {
  c.header('Content-Security-Policy', POLICY);
  c.header('Cache-Control', CACHE);
  return c.html(html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title} · remit</title>
        <style>
          :root { color-scheme: light dark; }
          body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
        </style>
      </head>
      <body>${body}</body>
    </html>`);
}
