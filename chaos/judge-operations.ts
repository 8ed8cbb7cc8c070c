// C2, and that everything that was accepted comes to an end.

import { linesOf } from './client-log.ts';
import { type Evidence, isFinal, type Violation } from './evidence.ts';

export function judgeOperations(evidence: Evidence): Violation[] {
  const { operations, leftovers } = evidence;
  const open = operations.filter((one) => !isFinal(one));
  return [
    ...judgeShown(evidence),
    ...open.map(({ semanticKey, status, reviewReason }): Violation => {
      if (reviewReason === null)
        return { check: 'unfinished', key: semanticKey, detail: `is ${status} after the calm` };
      return { check: 'review', key: semanticKey, detail: reviewReason };
    }),
    ...leftovers.map((detail): Violation => ({ check: 'unfinished', key: detail.split(' ')[0] ?? '', detail })),
  ];
}

/** In the order of the log, which is the order in which the client saw them. */
function judgeShown({ client, operations }: Evidence): Violation[] {
  const statusOf = new Map(operations.map(({ semanticKey, status }) => [semanticKey, status]));
  const shown = Map.groupBy(linesOf(client, 'shown'), ({ key }) => key);
  return [...shown].flatMap(([key, lines]): Violation[] => {
    const first = lines.find(isFinal);
    if (first === undefined) return [];
    const later = [...lines.slice(lines.indexOf(first)).map(({ status }) => status), statusOf.get(key) ?? 'gone'];
    const other = later.find((status) => status !== first.status);
    if (other === undefined) return [];
    return [{ check: 'changed', key, detail: `was shown as ${first.status}, then as ${other}` }];
  });
}
