// What the client of a case does: asks, repeats what was not answered, and asks for the other thing meanwhile.

import { setTimeout as wait } from 'node:timers/promises';
import { PaymentError } from '../../src/domain/errors.ts';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { isRetryable } from '../../src/runtime/db.ts';
import type { Case } from './case.ts';
import { createFate, type Fate, type Place } from './fates.ts';
import type { Mortal } from './mortal.ts';

/** Each waits a little for the death of what it asked for, so that no crowd arises. */
const DEATH_AWAITED_MS = 400;
const PROBE_MS = 10;
/** A tenth of a lease, after which a person would look at a payment that five claims in a row had lost. */
const LATE_MS_MAX = 160;

export interface Named extends Case {
  readonly number: number;
  readonly key: string;
  readonly pkid: Pkid;
  readonly fate: Fate;
  readonly client: {
    /** How many of the flow's requests were answered. */
    answered: number;
    /** The process that it has asked for the other thing, until that answers. */
    askingAt: number | null;
    /** In which look the last was, and how many there were. */
    lastHint: number;
    hints: number;
  };
}

let casesMade = 0;

export function nameCase({ flow, dooms }: Case): Named {
  casesMade += 1;
  const key = `case-${casesMade}`;
  const pkid = pkidOf(flow.kind, key);
  const client: Named['client'] = { answered: 0, askingAt: null, lastHint: -1, hints: 0 };
  const { meanwhile = null } = flow;
  const act = (at: Place) => askMeanwhile({ flow, key, client }, at);
  const fate = createFate({ dooms, meanwhile: meanwhile === null ? null : { point: meanwhile.point, act } });
  return { flow, dooms, number: casesMade, key, pkid, fate, client };
}

async function askMeanwhile({ flow, key, client }: Pick<Named, 'flow' | 'key' | 'client'>, at: Place): Promise<void> {
  client.askingAt = at.number;
  await flow.meanwhile?.act(at.app, key).catch(refusedByState);
  client.askingAt = null;
}

/** A client repeats what was not answered, to the next process. */
export async function ask(
  { flow, key, fate, client, number }: Named,
  mortals: readonly Mortal[],
  sandboxUrl: string,
): Promise<void> {
  const turn = number % mortals.length;
  for (const mortal of [...mortals.slice(turn), ...mortals.slice(0, turn)]) {
    const died = mortal.deathFor(fate).then(() => false);
    let isAlive = true;
    while (isAlive && client.answered < flow.requests.length) {
      const answer = flow.requests[client.answered]?.(mortal.app, key, sandboxUrl).then(() => true, isToRepeat);
      const isAnswered = await Promise.race([answer, died]);
      if (isAnswered === true) client.answered += 1;
      isAlive = isAnswered !== false;
    }
  }
  await Promise.race([fate.died, wait(DEATH_AWAITED_MS)]);
  while ((await lateness()) > LATE_MS_MAX);
}

/** How far this process is behind: more work than it keeps up with would let leases run out that nobody lost. */
async function lateness(): Promise<number> {
  const start = performance.now();
  await wait(PROBE_MS);
  return performance.now() - start - PROBE_MS;
}

export function askAgain(one: Named, mortals: readonly Mortal[]): void {
  const { askingAt } = one.client;
  const next = mortals.find((mortal) => !mortal.isGone() && !one.fate.isDeadIn(mortal.number));
  if (askingAt !== null && one.fate.isDeadIn(askingAt) && next !== undefined) void askMeanwhile(one, next);
}

/** A server that is busy says so, and the client asks it again. */
function isToRepeat(error: unknown): null {
  if (isRetryable(error) || (error instanceof PaymentError && error.kind === 'unavailable')) return null;
  throw error;
}

/** What is final already is not cancelled, and the client hears so. */
function refusedByState(error: unknown): void {
  if (!(error instanceof PaymentError) || error.code !== 'invalid-state') throw error;
}
