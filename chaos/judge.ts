// The verdict of a run: every promise that can be judged from outside, over evidence of which nothing was written by
// the part that is judged by it alone.

import type { Evidence, Violation } from './evidence.ts';
import { judgeEvents } from './judge-events.ts';
import { judgeOperations } from './judge-operations.ts';
import { judgePayments } from './judge-payments.ts';
import { judgeRequests } from './judge-requests.ts';
import { judgeSales } from './judge-sales.ts';
import { judgeWallets } from './judge-wallets.ts';

export function judge(evidence: Evidence): Violation[] {
  return [
    ...judgeRequests(evidence),
    ...judgeSales(evidence),
    ...judgeOperations(evidence),
    ...judgePayments(evidence),
    ...judgeWallets(evidence),
    ...judgeEvents(evidence),
    ...evidence.audit.map((detail) => ({ check: 'audit', key: detail.split(':')[0] ?? '', detail }) as const),
  ];
}
