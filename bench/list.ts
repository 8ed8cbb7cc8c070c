// How long lists take on books of some size: one request after the other, as one person waits for them.

import { createLatency } from '../src/cli/load-latency.ts';
import { walletOf } from './books.ts';
import type { Stage } from './stage.ts';

const LISTS = ['/v1/transfers?limit=50', '/v1/orders?status=paid', '/v1/checkouts?status=open'] as const;
/** The first ones fill caches. */
const WARM_REQUESTS = 20;
const REQUESTS_MAX = 2_000;
const OK = 200;

export interface Read {
  readonly path: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function measureLists(stage: Stage): Promise<Read[]> {
  return readAll(stage, LISTS);
}

export function measureStatement(stage: Stage): Promise<Read[]> {
  return readAll(stage, [`/v1/wallets/${walletOf(0)}/entries?limit=50`]);
}

async function readAll(stage: Stage, paths: readonly string[]): Promise<Read[]> {
  const wire = await stage.wire(1);
  const reads: Read[] = [];
  try {
    for (const path of paths) {
      const latency = createLatency();
      const until = performance.now() + stage.seconds * 1_000;
      for (let number = 0; number < REQUESTS_MAX && performance.now() < until; number += 1) {
        const startedAt = performance.now();
        const { status, body } = await wire.send('GET', path);
        if (status !== OK) throw new Error(`${path} answered ${status}: ${body}`);
        if (number >= WARM_REQUESTS) latency.record(performance.now() - startedAt);
      }
      reads.push({ path, p50Ms: latency.quantile(0.5) ?? 0, p99Ms: latency.quantile(0.99) ?? 0 });
    }
  } finally {
    wire.close();
  }
  return reads;
}
