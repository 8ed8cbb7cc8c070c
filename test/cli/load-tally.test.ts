// What a load says of itself: the rate that was reached, and latencies that are not better than they were.

import { describe, expect, it } from 'vitest';
import { createLatency } from '../../src/cli/load-latency.ts';
import { createLoadTally, loadSummary } from '../../src/cli/load-tally.ts';

describe('the report', () => {
  const reportAfter = (elapsedMs: number) => {
    const tally = createLoadTally();
    for (let sent = 0; sent < 3_000; sent += 1) {
      tally.sent('transfers');
      tally.ended('transfers', { type: 'succeeded' }, 1);
    }
    return tally.report({ runId: 'r', perSecond: 100, seconds: 30, elapsedMs });
  };

  it('says the reached rate beside the asked one, and when it was not reached', () => {
    const slow = reportAfter(66_000);
    expect(slow).toMatchObject({ ok: true, rate: 100, finals_per_second: 45, rate_reached: false });
    expect(loadSummary(slow)).toContain('100/s asked for, 45/s reached in 66.0 s');
    expect(loadSummary(slow)).toMatch(/NOT reached: 45\/s instead of 100\/s.*36\.0 s after.*--rate/);
  });

  it('says nothing of it where the last one only took its own time', () => {
    const well = reportAfter(30_400);
    expect(well.rate_reached).toBe(true);
    expect(loadSummary(well)).not.toContain('NOT reached');
  });
});

describe('a latency histogram', () => {
  it('gives quantiles at most two per cent too high, and the exact maximum', () => {
    const latency = createLatency();
    for (let ms = 1; ms <= 1_000; ms += 1) latency.record(ms);
    for (const q of [0.5, 0.95, 0.99]) {
      const found = latency.quantile(q) ?? 0;
      expect(found).toBeGreaterThanOrEqual(q * 1_000);
      expect(found).toBeLessThanOrEqual(q * 1_000 * 1.021);
    }
    expect([latency.count(), latency.max(), latency.quantile(1)]).toEqual([1_000, 1_000, 1_000]);
  });

  it('has no quantile of nothing', () => {
    expect([createLatency().quantile(0.5), createLatency().max()]).toEqual([null, null]);
  });
});
