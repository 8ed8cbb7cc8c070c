// Reading a body: its size is bounded before it is decoded, and decoded strictly before it is parsed.

import type { HonoRequest } from 'hono';
import { PaymentError } from '../domain/errors.ts';
import { refuseDepth } from './untrusted.ts';

export const BODY_BYTES_MAX = 64 * 1024;
/** A batch of 1,000 items. */
export const BATCH_BYTES_MAX = 2 * 1024 * 1024;
/** Providers send whole objects in their events. */
export const WEBHOOK_BYTES_MAX = 1024 * 1024;

const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?;?\s*$/i;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The parsed body, or undefined when there is none. */
export async function readJson(request: HonoRequest, bytesMax: number): Promise<unknown> {
  const bytes = await readBytes(request, bytesMax);
  if (bytes.length === 0) return undefined;
  const type = request.header('content-type') ?? '';
  if (!JSON_TYPE.test(type)) {
    throw new PaymentError('unsupported-media-type', {
      detail: `The body came as "${type.slice(0, 64)}". Send "Content-Type: application/json" in UTF-8.`,
    });
  }
  const encoding = request.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new PaymentError('unsupported-media-type', {
      detail: 'The body came compressed (Content-Encoding). Send it as plain JSON in UTF-8.',
    });
  }
  const value = parse(bytes);
  refuseDepth(value);
  return value;
}

export async function readBytes(request: HonoRequest, bytesMax: number): Promise<Buffer> {
  const announced = request.header('content-length');
  if (announced !== undefined && Number(announced) > bytesMax) throw tooLarge(bytesMax);
  if (announced === undefined && request.raw.body === null) return Buffer.alloc(0);
  try {
    if (announced === undefined) return await collect(request.raw.body, bytesMax);
    const bytes = Buffer.from(await request.arrayBuffer());
    if (bytes.length > bytesMax) throw tooLarge(bytesMax);
    return bytes;
  } catch (cause) {
    if (cause instanceof PaymentError) throw cause;
    // The caller hung up; its connection says so in the words that a lost database would use.
    throw new PaymentError('malformed-json', { cause, detail: 'The body broke off. Send it again, whole.' });
  }
}

/** A chunked body announces no length, so the bytes are counted as they come. */
async function collect(body: AsyncIterable<Uint8Array> | null, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new PaymentError('malformed-json', { cause, detail: 'The body is not JSON in UTF-8. Send one JSON object.' });
  }
}

function tooLarge(bytesMax: number): PaymentError {
  return new PaymentError('body-too-large', {
    detail: `The body is larger than ${bytesMax / 1024} KiB. Send less metadata, or split the batch.`,
  });
}
