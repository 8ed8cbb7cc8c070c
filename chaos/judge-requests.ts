// C1 and the keys: what the client was told about each request, against the rows that there are.

import { type LineOf, linesOf } from './client-log.ts';
import type { Evidence, Operation, Violation } from './evidence.ts';

/** Fields of a request that its row must hold unchanged. */
const SAME = ['amount', 'currency', 'from_wallet', 'to_wallet', 'wallet_id', 'provider', 'destination', 'order_id'];
const ACCEPTED = 202;

export function judgeRequests({ client, operations }: Evidence): Violation[] {
  const byKey = Map.groupBy(operations, ({ semanticKey }) => semanticKey);
  const asked = linesOf(client, 'asked').filter(({ kind }) => kind !== 'step' && kind !== 'checkout');
  const answered = Map.groupBy(linesOf(client, 'answered'), ({ key }) => key);
  const lostTry = new Set(
    linesOf(client, 'tried').flatMap(({ key, status }) => (status === null || status >= 500 ? key : [])),
  );
  const bodies = asked.flatMap((one) => {
    const rows = byKey.get(one.key) ?? [];
    return (answered.get(one.key) ?? []).flatMap(({ status, pkid }): Violation[] =>
      status < 300
        ? judgeAccepted({ asked: one, pkid, rows })
        : judgeRefused({ key: one.key, status, rows, mayBeDone: lostTry.has(one.key) }),
    );
  });
  return [...bodies, ...judgeCopies(client), ...judgeClashes(client), ...judgeStrangers({ client, operations })];
}

function judgeAccepted(at: { asked: LineOf<'asked'>; pkid: string | null; rows: readonly Operation[] }): Violation[] {
  const { asked, pkid, rows } = at;
  const { key, body } = asked;
  const [row] = rows;
  if (row === undefined) return [{ check: 'lost', key, detail: `acknowledged as ${pkid}, but there is no row` }];
  if (rows.length > 1) return [{ check: 'doubled', key, detail: `${rows.length} rows of one key` }];
  const differing = SAME.filter((name) => name in body && body[name] !== row.fields[name]);
  const found: Violation[] = differing.map((name) => {
    return { check: 'amount', key, detail: `${name} was ${body[name]} and is ${row.fields[name]}` };
  });
  if (pkid !== null && pkid !== row.pkid) {
    found.push({ check: 'lost', key, detail: `acknowledged as ${pkid}, but the row is ${row.pkid}` });
  }
  return found;
}

/** A try whose answer was lost may have been carried out after a later one was refused; else a refusal is final. */
function judgeRefused(at: {
  key: string;
  status: number;
  rows: readonly Operation[];
  mayBeDone: boolean;
}): Violation[] {
  const { key, status, rows, mayBeDone } = at;
  if (rows.length === 0 || mayBeDone) return [];
  return [{ check: 'refused', key, detail: `refused with ${status}, but there is a row` }];
}

function judgeCopies(client: Evidence['client']): Violation[] {
  return linesOf(client, 'copies').flatMap(({ key, isFirst, statuses, pkids }): Violation[] => {
    const firsts = statuses.filter((status) => status === ACCEPTED).length;
    const isWhole = isFirst && statuses.every((status) => status === 200 || status === ACCEPTED);
    if (pkids.length <= 1 && firsts <= 1 && (!isWhole || firsts === 1)) return [];
    return [
      { check: 'copies', key, detail: `${firsts} of ${statuses.length} copies were the first, ${pkids.length} ids` },
    ];
  });
}

/** That nothing was changed shows in the row, which still has to equal the first body. */
function judgeClashes(client: Evidence['client']): Violation[] {
  return linesOf(client, 'clash')
    .filter(({ status, code }) => status !== 422 || code !== 'key-reused')
    .map(({ key, status, code }) => ({
      check: 'replaced',
      key,
      detail: `another body was answered ${status} ${code}`,
    }));
}

/** Only a cancelled checkout makes operations of its own: the refunds of its orders. */
function judgeStrangers({ client, operations }: Pick<Evidence, 'client' | 'operations'>): Violation[] {
  const asked = linesOf(client, 'asked');
  const known = new Set(asked.map(({ key }) => key));
  const canceled = new Set(
    asked.flatMap(({ kind, key }) => (kind === 'step' && key.startsWith('cancel-c-') ? key : [])),
  );
  return operations
    .filter(({ semanticKey, kind, orderId, origin }) => {
      if (origin === 'external') return true;
      if (known.has(semanticKey)) return false;
      const checkout = `c-${orderId?.split('-')[1]}`;
      return kind !== 'refund' || !canceled.has(`cancel-${checkout}`);
    })
    .map(({ semanticKey, kind, origin }) => {
      return { check: 'orphan', key: semanticKey, detail: `a ${kind} (${origin ?? 'api'}) that nobody asked for` };
    });
}
