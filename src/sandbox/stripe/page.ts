// Stripe's lists: newest first, cut by cursors and by the `created` filter.

const PAGE_DEFAULT = 10; // Stripe's own
const PAGE_MAX = 100; // Stripe's own

/** One page, newest first, and whether there are more. */
export function page<T extends { id: string }>(
  newestFirst: Iterable<T>,
  { query, fits, atOf }: { query: Record<string, unknown>; fits: (row: T) => boolean; atOf: (row: T) => number },
): { rows: T[]; hasMore: boolean } {
  const limit = Math.min(PAGE_MAX, Math.max(1, Number(query.limit ?? PAGE_DEFAULT)));
  const { starting_after: after, ending_before: before } = query;
  const window = createdWindow(query.created);
  let rows: T[] = [];
  let started = after === undefined;
  for (const row of newestFirst) {
    if (row.id === before) return { rows: rows.slice(-limit), hasMore: rows.length > limit };
    const at = Math.floor(atOf(row) / 1000);
    if (at < window.gte || at <= window.gt) break;
    if (started && fits(row) && at <= window.lte && at < window.lt) rows.push(row);
    if (row.id === after) started = true;
    if (before === undefined && rows.length > limit) break;
  }
  const hasMore = rows.length > limit;
  rows = before === undefined ? rows.slice(0, limit) : rows.slice(-limit);
  return { rows, hasMore };
}

type Window = { gt: number; gte: number; lt: number; lte: number };

function createdWindow(created: unknown): Window {
  const open = { gt: -Infinity, gte: -Infinity, lt: Infinity, lte: Infinity };
  if (typeof created === 'number' || typeof created === 'string') {
    return { ...open, gte: Number(created), lte: Number(created) };
  }
  if (typeof created !== 'object' || created === null) return open;
  const given = Object.entries(created).map(([bound, value]) => [bound, Number(value)]);
  return { ...open, ...Object.fromEntries(given) };
}
