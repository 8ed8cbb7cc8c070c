// Waits for what happens outside of the test, such as a worker's commit. Unlike the runner's own poll it may be used by
// tests that run side by side.

import { setTimeout as wait } from 'node:timers/promises';

/** Less than the runner gives a test, so that what was seen last is told. */
const WITHIN_MS = 25_000;
const LOOK_AGAIN_MS = 50;

/** What was found when it held; throws with what was found last. */
export async function until<Found>(find: () => Promise<Found>, holds: (found: Found) => boolean): Promise<Found> {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    const found = await find();
    if (holds(found)) return found;
    if (performance.now() > deadline) throw new Error(`It did not come to hold; last seen: ${shown(found)}`);
    await wait(LOOK_AGAIN_MS);
  }
}

function shown(found: unknown): string {
  return JSON.stringify(found, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)) ?? '';
}
