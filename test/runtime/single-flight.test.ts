// Who asks while another one does the same thing shares its end, good or bad; who asks later begins anew.

import { expect, test } from 'vitest';
import { createSingleFlight } from '../../src/runtime/single-flight.ts';

function counted() {
  const runs: PromiseWithResolvers<void>[] = [];
  const run = () => {
    const flight = Promise.withResolvers<void>();
    runs.push(flight);
    return flight.promise;
  };
  return { runs, run };
}

test('of many who ask for one thing at a time one does it; other things go beside it', async () => {
  const inSingleFlight = createSingleFlight();
  const { runs, run } = counted();
  const asked = [inSingleFlight('a', run), inSingleFlight('a', run), inSingleFlight('b', run)];
  expect(runs).toHaveLength(2);
  for (const flight of runs) flight.resolve();
  await Promise.all(asked);
  void inSingleFlight('a', run);
  expect(runs).toHaveLength(3);
});

test('a failure is told to all who waited for it, and the next one begins anew', async () => {
  const inSingleFlight = createSingleFlight();
  const { runs, run } = counted();
  const asked = [inSingleFlight('a', run), inSingleFlight('a', run)];
  runs[0]?.reject(new Error('away'));
  for (const one of await Promise.allSettled(asked)) {
    expect(one).toMatchObject({ status: 'rejected', reason: { message: 'away' } });
  }
  void inSingleFlight('a', run);
  expect(runs).toHaveLength(2);
});
