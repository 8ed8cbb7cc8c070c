// Thousands of requests that no client would send, many at once, on the real database: each is answered as the document
// says, none by a defect, and the books are right afterwards.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkAnswer } from '../api/document-check.ts';
import { type Rig, startRig } from '../api/rig.ts';
import { openBooks } from './books.ts';
import { anyRequest, type FuzzRequest } from './requests.ts';

/** So many in `npm test`; FUZZ_REQUESTS asks for another number. */
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 20_000);
/** In flight at once. */
const AT_ONCE = 64;
const LIMIT_MS = 600_000;
/** What a stack, a statement or the driver would say. */
const INSIDES =
  /\bat \S+ \(|\.ts:\d+|node_modules|\bSELECT \S+ FROM\b|syntax error at|relation "|violates \w+ constraint/;

let rig: Rig;
let ids: readonly string[];
let key: string;
const strays: unknown[] = [];
const note = (reason: unknown) => void strays.push(reason);
beforeAll(async () => {
  process.on('unhandledRejection', note);
  rig = await startRig({}, { withWorkers: false });
  key = await rig.key(['read', 'write', 'operate']);
  ids = await openBooks(rig);
});
afterAll(async () => {
  process.off('unhandledRejection', note);
  await rig.stop();
});

async function send({ method, path, headers, body }: FuzzRequest): Promise<number> {
  const init = { method, headers: { Authorization: `Bearer ${key}`, ...headers }, ...(body !== undefined && { body }) };
  const response = await rig.api.request(path, init);
  const text = await response.text();
  const { status } = response;
  const place = `${method} ${path} ${JSON.stringify(headers)} ${body}: ${status} ${text}`;
  if (status >= 500 || INSIDES.test(text)) throw new Error(place);
  checkAnswer({ method, path, status, contentType: response.headers.get('content-type'), text });
  return status;
}

it(
  `${REQUESTS} requests of every kind get ${REQUESTS} answers that are documented`,
  async () => {
    const seen = new Map<number, number>();
    const batch = fc.array(anyRequest(ids), { minLength: AT_ONCE, maxLength: AT_ONCE });
    await fc.assert(
      fc.asyncProperty(batch, async (requests) => {
        for (const status of await Promise.all(requests.map(send))) seen.set(status, (seen.get(status) ?? 0) + 1);
      }),
      { numRuns: Math.ceil(REQUESTS / AT_ONCE), interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: true },
    );
    const statuses = [...seen.keys()].toSorted((a, b) => a - b);
    // A fuzz that never gets past the door proves nothing: some of it is taken, some is refused for what it says.
    expect(statuses).toEqual(expect.arrayContaining([200, 201, 202, 400, 404, 409, 415, 422]));
    expect([...seen.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(REQUESTS);
    process.stdout.write(`fuzz: ${statuses.map((status) => `${status}: ${seen.get(status)}`).join(', ')}\n`);
  },
  LIMIT_MS,
);

it('left no promise that nobody heard, and the books in order', async () => {
  expect(strays).toEqual([]);
  const { json } = await rig.post('/v1/audit');
  expect(json).toMatchObject({ ok: true });
});
