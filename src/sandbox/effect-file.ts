// The sandbox's only memory: one append-only file, one JSON line per effect. A line is written whole and synced to the
// disk before any answer that may have seen it leaves; lines that arrive while a sync runs share the next one.
import { closeSync, fdatasync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Effect } from './payment.ts';

export type EffectFile = {
  /** Adds a line that answers must wait for. */
  append(line: string): void;
  /** Adds a line whose loss after a power cut would be harmless. */
  note(line: string): void;
  /** Resolves when everything appended so far is on the disk. */
  durable(): Promise<void>;
  close(): Promise<void>;
};

const READ_CHUNK_BYTES = 1 << 20; // 1 MiB: big enough that a start on a long file is bound by parsing, not by reads
const NEWLINE = 10;

/** Hands every good line to `onEffect`, cuts off a torn last one, and opens the file for appending. */
export function openEffectFile(path: string, onEffect: (effect: Effect) => void): EffectFile {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, 'a+', 0o600);
  try {
    const goodBytes = readLines({ fd, path, onEffect });
    ftruncateSync(fd, goodBytes);
    fsyncSync(fd);
    syncFolder(dirname(path));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return appender(fd);
}

/** Returns the length of the part that ends with the last good line. */
function readLines(file: { fd: number; path: string; onEffect: (effect: Effect) => void }): number {
  const { fd, path, onEffect } = file;
  const chunk = Buffer.allocUnsafe(READ_CHUNK_BYTES);
  let pieces: Buffer[] = [];
  let readBytes = 0;
  let goodBytes = 0;
  let torn = false;
  for (let count = readSync(fd, chunk, 0, READ_CHUNK_BYTES, 0); count > 0; ) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1 && end < count; end = chunk.indexOf(NEWLINE, start)) {
      if (torn) throw new Error(damaged(path, goodBytes));
      const line = Buffer.concat([...pieces, chunk.subarray(start, end)]).toString('utf8');
      pieces = [];
      start = end + 1;
      const effect = parseLine(line);
      if (effect) {
        onEffect(effect);
        goodBytes = readBytes + start;
      } else torn = true;
    }
    pieces.push(Buffer.from(chunk.subarray(start, count)));
    readBytes += count;
    count = readSync(fd, chunk, 0, READ_CHUNK_BYTES, readBytes);
  }
  return goodBytes;
}

// A power cut can leave a block of zeros or half a line; both fail here, excusable only at the end of the file.
function parseLine(line: string): Effect | null {
  try {
    const effect: Effect = JSON.parse(line);
    return typeof effect.at === 'number' ? effect : null;
  } catch {
    return null;
  }
}

function damaged(path: string, goodBytes: number): string {
  return (
    `The sandbox file ${path} is damaged after byte ${goodBytes}: a broken line is followed by others. ` +
    'Restore it from a copy, or delete it to start with an empty sandbox.'
  );
}

function syncFolder(path: string): void {
  try {
    const fd = openSync(path, 'r');
    fsyncSync(fd);
    closeSync(fd);
  } catch {
    // Windows cannot sync a folder; there the file's own sync has to do.
  }
}

type Appender = {
  fd: number;
  lines: string[];
  /** Settles with the next sync, and with the one that runs now. */
  waiting: PromiseWithResolvers<void> | null;
  syncing: PromiseWithResolvers<void> | null;
  scheduled: boolean;
  /** After a failed write or sync nobody knows what is on the disk, so nothing may be answered any more. */
  broken: Error | null;
};

function appender(fd: number): EffectFile {
  const to: Appender = { fd, lines: [], waiting: null, syncing: null, scheduled: false, broken: null };
  return {
    append(line) {
      to.lines.push(`${line}\n`);
      if (!to.waiting) {
        to.waiting = Promise.withResolvers<void>();
        to.waiting.promise.catch(() => undefined);
      }
      schedule(to);
    },
    note(line) {
      to.lines.push(`${line}\n`);
      schedule(to);
    },
    durable: () => durable(to),
    async close() {
      flush(to);
      while (!to.broken && (to.waiting || to.syncing)) await durable(to).catch(() => undefined);
      flush(to);
      to.broken ??= new Error('the sandbox is closed');
      closeSync(fd);
    },
  };
}

function schedule(to: Appender): void {
  if (to.scheduled || to.syncing) return;
  to.scheduled = true;
  // One turn of the event loop gathers what arrived in the same burst; there is no timer to wait for.
  setImmediate(() => flush(to));
}

function flush(to: Appender): void {
  to.scheduled = false;
  if (to.syncing || to.broken || to.lines.length === 0) return;
  const batch = to.waiting;
  to.waiting = null;
  const text = to.lines.join('');
  to.lines = [];
  try {
    writeWhole(to.fd, text);
  } catch (error) {
    fail(to, batch, error);
    return;
  }
  if (!batch) return;
  to.syncing = batch;
  fdatasync(to.fd, (error) => {
    to.syncing = null;
    if (error) fail(to, batch, error);
    else batch.resolve();
    flush(to);
  });
}

function fail(to: Appender, batch: PromiseWithResolvers<void> | null, error: unknown): void {
  to.broken = error instanceof Error ? error : new Error(String(error));
  batch?.reject(to.broken);
  to.waiting?.reject(to.broken);
}

function durable({ broken, waiting, syncing }: Appender): Promise<void> {
  if (broken) return Promise.reject(broken);
  return (waiting ?? syncing)?.promise ?? Promise.resolve();
}

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}
