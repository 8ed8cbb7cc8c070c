// Transfers at a fixed rate, whatever the answers take: latency counts from the moment a request was due, so that
// waiting behind slow ones is counted. `?wait=` answers when the transfer is final.

import { createLatency, type Latency } from '../src/cli/load-latency.ts';
import { transferBody } from './closed-loop.ts';
import { createDraw } from './draw.ts';
import type { Stage } from './stage.ts';

/** Many more than are ever under way at half load; should they not suffice, waiting for one is counted. */
const CONNECTIONS = 512;
const WAIT_SECONDS = 30;
const ACCEPTED = 202;
const TICK_MS = 1;
/** The longest turn of the share of the hot wallet. */
const SHARE_STEPS = 10;

export interface OpenLoop {
  readonly name: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Tenths of the arrivals that debit the hot wallet; they are not measured. */
  readonly hotTenths: number;
}

/** The latencies of the transfers between other wallets. */
export async function runOpenLoop(stage: Stage, loop: OpenLoop): Promise<Latency> {
  const { name, perSecond, seconds, hotTenths } = loop;
  const wire = await stage.wire(CONNECTIONS);
  const prefix = stage.nextPrefix(name);
  const draw = createDraw(1);
  const latency = createLatency();
  const total = Math.max(1, Math.floor(perSecond * seconds));
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();

  async function send(number: number): Promise<void> {
    const dueAt = startedAt + (number / perSecond) * 1_000;
    const isHot = number % SHARE_STEPS < hotTenths;
    const text = JSON.stringify(transferBody(`${prefix}${number}`, draw, { isHot }));
    const { status, body } = await wire.send('POST', `/v1/transfers?wait=${WAIT_SECONDS}`, text);
    if (status !== ACCEPTED || !body.includes('"succeeded"')) throw new Error(`A transfer was not final: ${body}`);
    if (!isHot) latency.record(performance.now() - dueAt);
  }

  try {
    let sent = 0;
    let failure: Error | null = null;
    while (sent < total && failure === null) {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond));
      for (; sent < due; sent += 1) {
        const one = send(sent)
          .catch((error: unknown) => {
            failure = error instanceof Error ? error : new Error(String(error));
          })
          .finally(() => pending.delete(one));
        pending.add(one);
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(pending);
    if (failure !== null) throw failure;
  } finally {
    wire.close();
  }
  await stage.books.prove(prefix, { kind: 'transfer', count: total });
  return latency;
}
