// Whether a second process helps: the same backlog, drained by one worker and by two, in turns.

import { best, type Figure } from './row.ts';
import type { Stage } from './stage.ts';

export async function measureTwoWorkers(stage: Stage): Promise<Figure> {
  const rates: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 1; round <= stage.rounds; round += 1) {
    // What comes second meets larger tables.
    for (const count of round % 2 === 1 ? ([1, 2] as const) : ([2, 1] as const)) {
      const rate = await drain(stage, count);
      stage.say(`round ${round} of ${stage.rounds}: ${count} workers ${Math.round(rate)}/s`);
      rates[count].push(rate);
    }
  }
  const written = (count: 1 | 2) => rates[count].map((rate) => Math.round(rate)).join(', ');
  const note = `rounds ${written(2)} beside one worker ${written(1)}`;
  return { name: 'two_workers', value: best(rates[2]), baseline: best(rates[1]), note };
}

/** A backlog each warms them: else a second one is measured while it compiles its code once more. */
async function drain(stage: Stage, workers: number): Promise<number> {
  const { books, backlog } = stage;
  await stage.stopProcessor();
  await stage.workers(workers);
  const warming = stage.nextPrefix(`warming-${workers}`);
  await books.fill(warming, { count: backlog * workers, isHot: false });
  await books.release();
  await books.allFinal('transfer');
  const prefix = stage.nextPrefix(`workers-${workers}`);
  await books.fill(prefix, { count: backlog, isHot: false });
  const startedAt = performance.now();
  await books.release();
  await books.allFinal('transfer');
  const seconds = (performance.now() - startedAt) / 1_000;
  await stage.stopProcessor();
  await books.prove(prefix, { kind: 'transfer', count: backlog });
  return backlog / seconds;
}
