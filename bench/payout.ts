// Payouts over HTTP while the provider takes its time to answer.

import { measurePayouts } from './closed-loop.ts';
import type { Stage } from './stage.ts';

const PROVIDER_LATENCY_MS = 50;

export async function measureSlowPayouts(stage: Stage): Promise<number> {
  await stage.processor();
  await setLatency(stage, PROVIDER_LATENCY_MS);
  try {
    return await measurePayouts(stage);
  } finally {
    await setLatency(stage, 0);
  }
}

async function setLatency(stage: Stage, latencyMs: number): Promise<void> {
  const response = await fetch(`${stage.sandboxUrl()}/_sandbox/faults`, {
    method: 'POST',
    body: JSON.stringify({ seed: 1, rates: {}, latency_ms: latencyMs }),
  });
  if (!response.ok) throw new Error(`The sandbox refused a latency: ${response.status} ${await response.text()}`);
}
