// Every request the providers saw, with its key and answer, in memory and bounded.
import type { Answer, WireRequest } from './answer.ts';

export type CallRow = {
  seq: number;
  at: string;
  provider: string;
  method: string;
  path: string;
  /** The operation's pkid where it is known, and the key on the wire. */
  key: string | null;
  call_key: string | null;
  /** The behaviour word that acted on this call, its own or a random one. */
  fault: string | null;
  /** What the caller got: an answer, nothing, or a reset; the status only in the first case. */
  answer: 'sent' | 'held' | 'reset';
  status: number | null;
  /** The beginning of an answer that was no success. */
  error: string | null;
};

export type CallLog = {
  add(call: { provider: string; request: WireRequest; answer: Answer; at: number }): void;
  read(filter: { key: string | null; provider: string | null }): { data: CallRow[]; dropped: number };
};

const CALLS_MAX = 100_000; // about 40 MB; the oldest half is dropped when it is full
const ERROR_LENGTH_MAX = 300;

export function callLog(): CallLog {
  let rows: CallRow[] = [];
  let dropped = 0;
  return {
    add({ provider, request, answer, at }) {
      if (rows.length >= CALLS_MAX) {
        rows = rows.slice(CALLS_MAX / 2);
        dropped += CALLS_MAX / 2;
      }
      rows.push(row({ provider, request, answer, at, seq: dropped + rows.length + 1 }));
    },
    read({ key, provider }) {
      const fits = (one: CallRow) =>
        (key === null || one.key === key || one.call_key === key) && (provider === null || one.provider === provider);
      return { data: rows.filter(fits), dropped };
    },
  };
}

function row(call: { provider: string; request: WireRequest; answer: Answer; at: number; seq: number }): CallRow {
  const { provider, request, answer, at, seq } = call;
  const sent = answer.act === 'send';
  const error = sent && answer.status >= 400 && typeof answer.body === 'string';
  const wireKey = request.headers['idempotency-key'];
  return {
    seq,
    at: new Date(at).toISOString(),
    provider,
    method: request.method,
    path: request.query === '' ? request.path : `${request.path}?${request.query}`,
    key: answer.seen.key ?? null,
    call_key: answer.seen.callKey ?? (typeof wireKey === 'string' ? wireKey : null),
    fault: answer.seen.fault ?? null,
    answer: answer.act === 'hold' ? 'held' : answer.act === 'reset' ? 'reset' : 'sent',
    status: sent ? answer.status : null,
    error: error ? String(answer.body).slice(0, ERROR_LENGTH_MAX) : null,
  };
}
