// The order of a run. What is compared is measured in turns, in short rounds, so that a slow moment of the machine
// meets all of it; of each, the best round counts.

import { measureBatch, measureSingle } from './closed-loop.ts';
import { measureDrain } from './drain.ts';
import { measureLists, measureStatement, type Read } from './list.ts';
import { measureMemory } from './memory.ts';
import type { Name } from './name.ts';
import { runOpenLoop } from './open-loop.ts';
import { measureSlowPayouts } from './payout.ts';
import { best, type Figure } from './row.ts';
import type { Stage } from './stage.ts';
import { measureTwoWorkers } from './two-workers.ts';

/** Latencies need more samples than rates. */
const LATENCY_TIMES = 2;
/** Of the arrivals, how many tenths debit the hot wallet. */
const HOT_TENTHS = 8;

type Throughput = 'baseline_uniform' | 'baseline_hot' | 'drain_uniform' | 'drain_hot' | 'http_single' | 'http_batch';
type Rates = ReadonlyMap<Throughput | 'payout_http', readonly number[]>;

export async function measure(
  stage: Stage,
  { names, report }: { names: readonly Name[]; report: (figure: Figure) => void },
): Promise<void> {
  const wanted = new Set(names);
  const rates = await measureRates(stage, wanted);
  for (const name of names) {
    const figure = rateFigure(name, rates);
    if (figure !== null) report(figure);
  }
  const half = (rateOf(rates, 'http_single') ?? 0) / 2;
  if (wanted.has('latency_half_load')) report(await halfLoad(stage, half));
  if (wanted.has('bystanders')) report(await bystanders(stage, half));
  if (wanted.has('list_ms')) report(listFigure('list_ms', await measureLists(stage)));
  if (wanted.has('statement_ms')) report(listFigure('statement_ms', await measureStatement(stage)));
  // They need the machine for themselves, and end the other process.
  if (wanted.has('two_workers')) report(await measureTwoWorkers(stage));
  if (wanted.has('memory_mb')) report(await memory(stage));
}

async function measureRates(stage: Stage, wanted: ReadonlySet<Name>): Promise<Rates> {
  const steps = stepsFor(stage, wanted);
  const rates = new Map<Throughput | 'payout_http', number[]>();
  for (let round = 1; round <= stage.rounds && steps.length > 0; round += 1) {
    for (const { name, run } of steps) {
      const rate = await run();
      stage.say(`round ${round} of ${stage.rounds}: ${name} ${Math.round(rate)}/s`);
      rates.set(name, [...(rates.get(name) ?? []), rate]);
    }
  }
  return rates;
}

function stepsFor(stage: Stage, wanted: ReadonlySet<Name>) {
  const { baseline, seconds } = stage;
  const needsSingle = wanted.has('http_single') || wanted.has('latency_half_load') || wanted.has('bystanders');
  const needsHot = wanted.has('baseline_hot') || wanted.has('drain_hot');
  const uniform = wanted.has('drain_uniform') || wanted.has('http_batch') || wanted.has('payout_http');
  const steps = [
    {
      name: 'baseline_uniform',
      isWanted: uniform || needsSingle,
      run: () => baseline.measure({ seconds, isHot: false }),
    },
    { name: 'drain_uniform', isWanted: wanted.has('drain_uniform'), run: () => measureDrain(stage, { isHot: false }) },
    { name: 'http_single', isWanted: needsSingle, run: () => measureSingle(stage) },
    { name: 'http_batch', isWanted: wanted.has('http_batch'), run: () => measureBatch(stage) },
    { name: 'payout_http', isWanted: wanted.has('payout_http'), run: () => measureSlowPayouts(stage) },
    { name: 'baseline_hot', isWanted: needsHot, run: () => baseline.measure({ seconds, isHot: true }) },
    { name: 'drain_hot', isWanted: wanted.has('drain_hot'), run: () => measureDrain(stage, { isHot: true }) },
  ] as const;
  return steps.filter(({ isWanted }) => isWanted);
}

function rateFigure(name: Name, rates: Rates): Figure | null {
  if (name === 'baseline_hot') return rated(name, rates, 'baseline_uniform');
  if (name === 'drain_hot') return rated(name, rates, 'baseline_hot');
  if (name === 'drain_uniform' || name === 'http_single' || name === 'http_batch' || name === 'payout_http') {
    return rated(name, rates, 'baseline_uniform');
  }
  return null;
}

function rated(name: (Throughput & Name) | 'payout_http', rates: Rates, against: Throughput): Figure {
  const all = (rates.get(name) ?? []).map((rate) => Math.round(rate)).join(', ');
  const beside = (rates.get(against) ?? []).map((rate) => Math.round(rate)).join(', ');
  const note = beside === '' ? `rounds ${all}` : `rounds ${all} beside ${against} ${beside}`;
  return { name, value: rateOf(rates, name) ?? 0, baseline: rateOf(rates, against), note };
}

function rateOf(rates: Rates, name: Throughput | 'payout_http'): number | null {
  const all = rates.get(name);
  return all === undefined ? null : best(all);
}

async function halfLoad(stage: Stage, perSecond: number): Promise<Figure> {
  const seconds = stage.seconds * LATENCY_TIMES;
  const latency = await runOpenLoop(stage, { name: 'half-load', perSecond, seconds, hotTenths: 0 });
  const p50Ms = latency.quantile(0.5);
  const p99Ms = latency.quantile(0.99);
  const note = `${Math.round(perSecond)}/s, largest ${latency.max()} ms`;
  return { name: 'latency_half_load', value: p99Ms ?? 0, baseline: null, p50Ms, p99Ms, note };
}

async function bystanders(stage: Stage, perSecond: number): Promise<Figure> {
  const seconds = stage.seconds * LATENCY_TIMES;
  const without = await runOpenLoop(stage, { name: 'bystanders-alone', perSecond, seconds, hotTenths: 0 });
  const beside = await runOpenLoop(stage, { name: 'bystanders', perSecond, seconds, hotTenths: HOT_TENTHS });
  const p50Ms = beside.quantile(0.5);
  const p99Ms = beside.quantile(0.99);
  const note = `${Math.round(perSecond)}/s in all, p50 without ${without.quantile(0.5)} ms`;
  return { name: 'bystanders', value: p99Ms ?? 0, baseline: without.quantile(0.99), p50Ms, p99Ms, note };
}

function listFigure(name: 'list_ms' | 'statement_ms', reads: readonly Read[]): Figure {
  const slowest = reads.reduce((worst, read) => (read.p99Ms > worst.p99Ms ? read : worst));
  const note = reads.map(({ path, p50Ms, p99Ms }) => `${path} ${p50Ms} and ${p99Ms}`).join(', ');
  return { name, value: slowest.p99Ms, baseline: null, p50Ms: slowest.p50Ms, p99Ms: slowest.p99Ms, note };
}

async function memory(stage: Stage): Promise<Figure> {
  const { largestMb, idleMb, perSecond } = await measureMemory(stage);
  return { name: 'memory_mb', value: largestMb, baseline: idleMb, note: `${Math.round(perSecond)} transfers/s alone` };
}
