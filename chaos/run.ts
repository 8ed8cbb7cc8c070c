// A run from its beginning to its verdict: start, break, calm, judge.

import { setTimeout as wait } from 'node:timers/promises';
import { calmDown } from './calm.ts';
import { figuresOf } from './figures.ts';
import { gatherEvidence } from './gathering.ts';
import { judge } from './judge.ts';
import type { Options } from './options.ts';
import { isPassed, type Outcome } from './report.ts';
import { planFaults } from './schedule.ts';
import { openStage, type Stage } from './stage.ts';
import { type Strike, strike } from './strike.ts';

type Say = (line: string) => void;

/** `onStage` is told of the stage as soon as there is one, so that an interruption can take it down. */
export async function runChaos(
  options: Options,
  { say, onStage }: { say: Say; onStage: (stage: Stage) => void },
): Promise<Outcome> {
  const stage = await openStage(options, say);
  onStage(stage);
  let isKept = true;
  try {
    say(`breaking things for ${options.seconds} s, seed ${options.seed}`);
    await stage.client.start();
    const strikes = await strikeAll(stage, { options, say });
    say('the faults are over; waiting until everything is finished');
    const leftovers = await calmDown(stage, say);
    say('judging');
    const evidence = await gatherEvidence(stage, leftovers);
    const figures = await figuresOf(stage, { evidence, strikes, backend: options.backend });
    const violations = judge(evidence);
    isKept = !isPassed({ figures, violations });
    return { options, figures, violations, folder: isKept ? stage.folder : null };
  } catch (cause) {
    throw new Error(`The run broke off; its data and logs are in ${stage.folder}.`, { cause });
  } finally {
    await stage.stop({ keep: isKept });
  }
}

async function strikeAll(stage: Stage, { options, say }: { options: Options; say: Say }): Promise<Strike[]> {
  const beganAt = Date.now();
  // What is broken already is not broken again before it is whole.
  const last = new Map<string, Promise<unknown>>();
  const strikes = planFaults(options).map((fault) => {
    const before = last.get(fault.on) ?? Promise.resolve();
    const struck = wait(fault.atMs)
      .then(() => before)
      .then(() => strike(fault, stage))
      .then((done) => {
        const second = ((done.from - beganAt) / 1_000).toFixed(1).padStart(6);
        say(`${second} s  ${fault.name} on ${fault.on} for ${done.to - done.from} ms  ${JSON.stringify(done.gaps)}`);
        return done;
      });
    last.set(
      fault.on,
      struck.catch(() => undefined),
    );
    return struck;
  });
  const done = await Promise.all(strikes);
  await wait(Math.max(0, beganAt + options.seconds * 1_000 - Date.now()));
  return done;
}
