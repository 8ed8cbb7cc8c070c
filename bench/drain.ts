// How fast a backlog drains: the transfers wait in the paused queue, and the clock runs from its release until the
// last one is final.

import type { Stage } from './stage.ts';

export async function measureDrain(stage: Stage, { isHot }: { isHot: boolean }): Promise<number> {
  const { books, backlog } = stage;
  await stage.processor();
  const prefix = stage.nextPrefix(isHot ? 'drain-hot' : 'drain-uniform');
  await books.fill(prefix, { count: backlog, isHot });
  const startedAt = performance.now();
  await books.release();
  await books.allFinal('transfer');
  const seconds = (performance.now() - startedAt) / 1_000;
  await books.prove(prefix, { kind: 'transfer', count: backlog });
  return backlog / seconds;
}
