// One operation of a load, from its request to its end. The request waits on the server until the operation is final,
// which costs one request each and no polling; whatever goes wrong on the way, the same key is sent or asked again.

import type { LoadClient, LoadReply } from './load-client.ts';
import type { Arrival } from './load-plan.ts';

export type Outcome =
  | { readonly type: 'succeeded' }
  /** It ended as failed, or was refused: nothing in a load should. */
  | { readonly type: 'failed' | 'refused'; readonly code: string }
  /** It was accepted and is not final, or nobody answered. */
  | { readonly type: 'late'; readonly code: string }
  /** It was accepted, and is not known any more. */
  | { readonly type: 'lost' };

export interface LoadRun {
  readonly client: LoadClient;
  /** When it is given up. */
  readonly deadline: number;
  /** Something that was tried again. */
  readonly onError: (code: string) => void;
}

/** The longest that the API grants. */
const WAIT_SECONDS_MAX = 30;
const TRY_AGAIN_MS = 250;
/** What passes: too fast, starting, or a proxy in front without a server behind it. */
const PASSING = new Set([429, 500, 502, 503, 504]);
const NOT_FOUND = 404;

export async function runOperation({ kind, key, body }: Arrival, run: LoadRun): Promise<Outcome> {
  const { client, deadline, onError } = run;
  let isAccepted = false;
  let seen = 'no-answer';
  for (let left = leftOf(deadline); left > 0; left = leftOf(deadline)) {
    const wait = Math.min(WAIT_SECONDS_MAX, left / 1_000).toFixed(2);
    const timeoutMs = left + TRY_AGAIN_MS;
    const asked = isAccepted
      ? client.send('GET', `/v1/${kind}/${key}?wait=${wait}`, { timeoutMs })
      : client.send('POST', `/v1/${kind}?wait=${wait}`, { body, timeoutMs });
    const reply = await asked.catch((error: unknown) => codeOf(error));
    if (typeof reply === 'string' || PASSING.has(reply.status)) {
      seen = typeof reply === 'string' ? reply : (reply.body.code ?? String(reply.status));
      onError(seen);
      await pause(typeof reply === 'string' ? TRY_AGAIN_MS : (reply.retryAfterMs ?? TRY_AGAIN_MS));
      continue;
    }
    const outcome = outcomeOf(reply, { isAccepted });
    if (outcome !== null) return outcome;
    isAccepted = true;
    seen = String(reply.body.status);
  }
  return { type: 'late', code: seen };
}

/** Null while it is not final. */
function outcomeOf({ status, body }: LoadReply, { isAccepted }: { isAccepted: boolean }): Outcome | null {
  if (status === NOT_FOUND && isAccepted) return { type: 'lost' };
  if (status >= 400) return { type: 'refused', code: body.code ?? String(status) };
  if (body.status === 'succeeded') return { type: 'succeeded' };
  if (body.status === 'failed') return { type: 'failed', code: body.failure?.code ?? 'failed' };
  return null;
}

function leftOf(deadline: number): number {
  return deadline - performance.now();
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
