// What the README says of each scope is what the routes ask for.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { endpoints } from '../../src/api/routes/all.ts';
import { SCOPES, type Scope } from '../../src/jobs/api-key.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
function rowOf(scope: Scope): string {
  return readme.split('\n').find((line) => line.startsWith(`| \`${scope}\` |`)) ?? '';
}

test('every scope has its row', () => {
  expect(SCOPES.filter((scope) => rowOf(scope) === '')).toEqual([]);
});

test('what needs operate is named, and every resolve is of it', () => {
  const [resolves, others] = [/\/resolve$/, /(?<!\/resolve)$/].map((end) =>
    endpoints.filter(({ path }) => end.test(path)),
  );
  expect(new Set(resolves?.map(({ scope }) => scope))).toEqual(new Set(['operate']));
  const named = (others ?? []).filter(({ scope }) => scope === 'operate');
  expect(named.length).toBeGreaterThan(1);
  for (const { path } of named) expect(rowOf('operate')).toContain(`\`POST ${path}\``);
});

test('the audit, every query, and all of the webhook endpoints need write; every other GET needs read', () => {
  expect(rowOf('write')).toContain('`POST /v1/audit`');
  const asking = endpoints.filter(({ path }) => /^\/v1\/(audit|webhook-endpoints)|\/query$/.test(path));
  expect(new Set(asking.map(({ scope }) => scope))).toEqual(new Set(['write']));
  const reading = endpoints.filter((one) => one.method === 'get' && !asking.includes(one));
  expect(new Set(reading.map(({ scope }) => scope))).toEqual(new Set(['read']));
  expect(endpoints.filter(({ method, scope }) => method === 'post' && scope === 'read')).toEqual([]);
});

test('the runbook names the scope of the audit too', () => {
  const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
  expect(runbook).toContain('`POST /v1/audit` (scope `write`)');
});
