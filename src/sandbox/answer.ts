// The shape of a request as the handlers see it, and of what they want done with the socket.

export type WireRequest = {
  method: string;
  /** Without the provider's prefix and without the query. */
  path: string;
  query: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
};

export type Answer = {
  status: number;
  headers: Record<string, string>;
  body: string | Iterable<string>;
  /** hold: never answered; reset: the connection is torn down. The default is to answer. */
  act: 'send' | 'hold' | 'reset';
  /** How much later than ready the answer leaves. */
  delayMs: number;
  /** The key that counts as in flight until this answer is ready. */
  inFlight: string | null;
  /** For the list of calls. */
  seen: { key?: string | null; callKey?: string | null; fault?: string };
};

export function answer(status: number, body: Answer['body'], headers: Record<string, string> = {}): Answer {
  return { status, headers, body, act: 'send', delayMs: 0, inFlight: null, seen: {} };
}

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return answer(status, JSON.stringify(value), { 'content-type': 'application/json', ...headers });
}

export function header(request: WireRequest, name: string): string | null {
  const value = request.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
