// Latencies as a histogram of narrow buckets: a run of any length takes the same little memory, and a quantile is at
// most two per cent too high.

/** Bucket n ends at GROWTH^n tenths of a millisecond. */
const GROWTH = 1.02;
const UNIT_MS = 0.1;
/** Ends beyond three minutes; nothing here waits as long. */
const BUCKETS = 720;

export interface Latency {
  record(ms: number): void;
  count(): number;
  /** The latency that the share `q` of all did not exceed; null when nothing was recorded. */
  quantile(q: number): number | null;
  max(): number | null;
}

export function createLatency(): Latency {
  const buckets = new Uint32Array(BUCKETS);
  let total = 0;
  let largest = 0;
  return {
    record(ms) {
      const bucket = ms <= UNIT_MS ? 0 : Math.ceil(Math.log(ms / UNIT_MS) / Math.log(GROWTH));
      const at = Math.min(BUCKETS - 1, bucket);
      buckets[at] = (buckets[at] ?? 0) + 1;
      total += 1;
      largest = Math.max(largest, ms);
    },
    count: () => total,
    quantile(q) {
      if (total === 0) return null;
      let left = Math.max(1, Math.ceil(q * total));
      for (const [at, count] of buckets.entries()) {
        left -= count;
        if (left <= 0) return rounded(Math.min(largest, UNIT_MS * GROWTH ** at));
      }
      return rounded(largest);
    },
    max: () => (total === 0 ? null : rounded(largest)),
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
