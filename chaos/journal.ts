// An append-only file of JSON lines that survives the death of its process: a line is on the disk before `durable`
// resolves, and a torn last line is no line.

import { closeSync, existsSync, fdatasync, openSync, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

export interface Journal<Line> {
  /** Resolves when the line is on the disk. */
  durable(line: Line): Promise<void>;
  /** Written at once, on the disk with the next one that must be. */
  note(line: Line): void;
  close(): void;
}

const sync = promisify(fdatasync);

export function openJournal<Line>(file: string): Journal<Line> {
  const isTorn = existsSync(file) && !readFileSync(file, 'utf8').endsWith('\n');
  const fd = openSync(file, 'a');
  // What a killed process left half-written must not swallow our first line.
  if (isTorn) writeSync(fd, '\n');
  let syncing: Promise<void> | null = null;
  let waiting: Promise<void> | null = null;

  /** Who comes while a sync runs shares the next one. */
  function synced(): Promise<void> {
    waiting ??= (syncing ?? Promise.resolve()).then(() => {
      waiting = null;
      syncing = sync(fd);
      return syncing;
    });
    return waiting;
  }

  return {
    durable(line) {
      writeSync(fd, `${JSON.stringify(line)}\n`);
      return synced();
    },
    note: (line) => void writeSync(fd, `${JSON.stringify(line)}\n`),
    close: () => closeSync(fd),
  };
}

/** `parse` gives null for what is no line of this journal. */
export function readJournal<Line>(file: string, parse: (json: unknown) => Line): Line[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((text) => {
      const json = jsonOf(text);
      return json === null ? [] : [parse(json)];
    });
}

function jsonOf(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
