// The plan of a fault test can be had again from its seed, and holds everything that can go wrong.

import { describe, expect, test } from 'vitest';
import { kindsFor, planFaults } from '../../chaos/schedule.ts';

const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);
const LONGEST_MS = 12_000;

describe.each(['redis', 'postgres'] as const)('with the queue on %s', (backend) => {
  test('the same seed plans the same faults, another seed others', () => {
    const planned = planFaults({ backend, seed: 7, seconds: 40 });
    expect(planFaults({ backend, seed: 7, seconds: 40 })).toEqual(planned);
    expect(planFaults({ backend, seed: 8, seconds: 40 })).not.toEqual(planned);
  });

  test.each([20, 40, 150])('%i seconds hold every kind, each within reach of the end', (seconds) => {
    for (const seed of SEEDS) {
      const planned = planFaults({ backend, seed, seconds });
      const names = new Set(planned.map(({ name }) => name));
      expect(kindsFor(backend).filter(({ name }) => !names.has(name))).toEqual([]);
      expect(planned.filter(({ atMs }) => atMs > seconds * 1_000 + LONGEST_MS)).toEqual([]);
    }
  });

  test('a longer run has more faults', () => {
    const counts = [40, 150, 600].map((seconds) => planFaults({ backend, seed: 7, seconds }).length);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(new Set(counts).size).toBe(3);
  });

  test('nothing is broken twice at the same time', () => {
    for (const seed of SEEDS) {
      const byVictim = Map.groupBy(planFaults({ backend, seed, seconds: 150 }), ({ on }) => on);
      for (const own of byVictim.values()) {
        const inTime = own.toSorted((a, b) => a.atMs - b.atMs);
        const overlaps = inTime.filter(({ atMs }, at) => {
          const before = inTime[at - 1];
          return before !== undefined && before.atMs + before.lastsMs > atMs;
        });
        expect(overlaps).toEqual([]);
      }
    }
  });
});
