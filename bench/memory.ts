// What a worker needs in memory while a large backlog waits for it.

import { residentMb, watchResident } from './resident.ts';
import type { Stage } from './stage.ts';

const TIMES_THE_BACKLOG = 5;
/** Until what the start needed is given back. */
const IDLE_MS = 3_000;

/** A drain's backlog is a fifth of this one: 100,000 unless another was asked for. */
export async function measureMemory(stage: Stage): Promise<{ largestMb: number; idleMb: number; perSecond: number }> {
  const { books } = stage;
  const count = stage.backlog * TIMES_THE_BACKLOG;
  await stage.stopProcessor();
  const prefix = stage.nextPrefix('memory');
  await books.fill(prefix, { count, isHot: false });
  const [worker] = await stage.workers(1);
  if (worker === undefined) throw new Error('No worker was started. Look at bench/stage.ts.');
  const { pid } = worker;
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const idleMb = await residentMb(pid);
  const resident = watchResident(pid);
  const startedAt = performance.now();
  try {
    await books.release();
    await books.allFinal('transfer');
  } finally {
    resident.stop();
  }
  const perSecond = count / ((performance.now() - startedAt) / 1_000);
  await stage.stopProcessor();
  await books.prove(prefix, { kind: 'transfer', count });
  return { largestMb: resident.largest(), idleMb, perSecond };
}
