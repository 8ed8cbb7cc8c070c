// The runbook has a word for everything that asks for a person.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { endpoints } from '../../src/api/routes/all.ts';
import type { ReviewReason } from '../../src/domain/verdict.ts';
import type { DiscrepancyReason } from '../../src/entities/discrepancy.ts';
import type { Attention } from '../../src/jobs/attention.ts';

const page = readText('docs/runbook.md');

/** The compiler names what was forgotten here. */
const REVIEW_REASONS = {
  success_differs: true,
  success_and_decline: true,
  second_reference: true,
  key_conflict: true,
  key_expired: true,
  approval_differs: true,
  crashed_repeatedly: true,
} as const satisfies Record<ReviewReason, true>;
const DISCREPANCY_REASONS = {
  paid_but_failed: true,
  contradicts_final: true,
  return_withdrawn: true,
  refund_returned: true,
  external_refund: true,
  external_reversed: true,
  not_compensated: true,
  unmatched_event: true,
} as const satisfies Record<Exclude<DiscrepancyReason, ReviewReason>, true>;
const ATTENTION = {
  review: true,
  discrepancies: true,
  unapplied: true,
  disputes: true,
  webhook_endpoints: true,
  provider_events: true,
  oldest_unfinished: true,
  stale: true,
} as const satisfies Record<keyof Attention, true>;

test('every reason for a review or a discrepancy has a row that says what to do', () => {
  const reasons = [...Object.keys(REVIEW_REASONS), ...Object.keys(DISCREPANCY_REASONS)];
  expect(reasons.filter((reason) => !page.includes(`| \`${reason}\` |`))).toEqual([]);
});

test('every list of what needs attention and every metric is explained, and each section it names is there', () => {
  expect(Object.keys(ATTENTION).filter((list) => !page.includes(`| \`${list}\` |`))).toEqual([]);
  const sources = ['src/runtime/metrics.ts', 'src/app.ts'].map(readText).join('\n');
  const metrics = [...sources.matchAll(/'(remit_[a-z_]+)'/g)].map(([, name = '']) => name);
  expect(metrics.length).toBeGreaterThan(10);
  expect([...new Set(metrics)].filter((metric) => !page.includes(`\`${metric}\``))).toEqual([]);
  const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, title = '']) => anchorOf(title));
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, target = '']) => target);
  expect(links.filter((target) => !sections.includes(target))).toEqual([]);
});

test('every body that a command of the runbook sends is one that its route takes', () => {
  const commands = [
    ...page.matchAll(/curl -X POST "\$API(\/[^"]+)"[^']*(?:'Content-Type: application\/json' \\?\s*)-d '([^']+)'/g),
  ];
  expect(commands.length).toBe(4);
  for (const [command, address = '', body = ''] of commands) {
    const path = address.replace(/\$([A-Z_]+)/g, (_name, id: string) => `{${id.toLowerCase()}}`);
    const route = endpoints.find((one) => one.method === 'post' && one.path === path);
    expect(route?.body.safeParse(JSON.parse(body)).error?.issues ?? [], command).toEqual(
      route === undefined ? [path] : [],
    );
  }
  expect(page).not.toContain('localhost:3000/');
});

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

function readText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}
