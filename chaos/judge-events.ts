// W1 and W2: the merchant heard of every final state, in order for each operation, and never of another one.

import { type Evidence, isFinal, type Violation } from './evidence.ts';
import type { Heard } from './heard-log.ts';

export function judgeEvents({ heard, operations, orders }: Evidence): Violation[] {
  const messages = heard.filter((line): line is Heard => line.what === 'heard');
  const bySubject = Map.groupBy(messages, ({ subject }) => subject);
  const toldOf = (subject: string) => new Set(bySubject.get(subject)?.map(({ type }) => type));
  const expected = [
    ...operations
      .filter(isFinal)
      .map(({ kind, status, semanticKey }) => ({ key: semanticKey, type: `${kind}.${status}` })),
    ...operations
      .filter(({ kind, returned }) => kind === 'payout' && returned > 0n)
      .map(({ semanticKey }) => ({ key: semanticKey, type: 'payout.returned' })),
    ...orders
      .filter(({ isDelivered }) => isDelivered)
      .map(({ orderId }) => ({ key: orderId, type: 'order.delivered' })),
  ];
  const missing = expected
    .filter(({ key, type }) => !toldOf(key).has(type))
    .map(({ key, type }): Violation => ({ check: 'untold', key, detail: `${type} was not heard` }));
  const contrary = operations.flatMap(({ kind, status, semanticKey: key }): Violation[] => {
    const other = status === 'succeeded' ? 'failed' : 'succeeded';
    if (!toldOf(key).has(`${kind}.${other}`)) return [];
    return [{ check: 'disorder', key, detail: `${kind}.${other} was heard of one that is ${status}` }];
  });
  return [...missing, ...contrary, ...[...bySubject].flatMap(judgeOrder), ...judgeRefusals(heard)];
}

/** A repeat may come late; the first hearing of each may not come before the one it follows. */
function judgeOrder([key, messages]: readonly [string, readonly Heard[]]): Violation[] {
  const firsts = messages.filter((one, at) => messages.findIndex(({ eventId }) => eventId === one.eventId) === at);
  const late = firsts.find(({ sequence }, at) => at > 0 && sequence <= (firsts[at - 1]?.sequence ?? 0));
  if (late === undefined) return [];
  return [{ check: 'disorder', key, detail: `event ${late.sequence}, ${late.type}, came after a later one` }];
}

/** Nobody else speaks to the merchant here, so a message whose signature does not fit is ours. */
function judgeRefusals(heard: Evidence['heard']): Violation[] {
  return heard.flatMap((line): Violation[] =>
    line.what === 'refused' ? [{ check: 'untold', key: 'signature', detail: `not believed: ${line.reason}` }] : [],
  );
}
