// How much memory a process has in use, as the operating system counts it.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const SAMPLE_MS = 200;
const KB_PER_MB = 1024;

export interface Resident {
  /** The largest that was seen so far, in MB. */
  largest(): number;
  stop(): void;
}

export function watchResident(pid: number): Resident {
  let largest = 0;
  const sample = () => {
    void residentMb(pid).then((mb) => {
      largest = Math.max(largest, mb);
    });
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return { largest: () => largest, stop: () => clearInterval(timer) };
}

/** 0 when the process is gone. */
export async function residentMb(pid: number): Promise<number> {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / KB_PER_MB;
  } catch {
    return askPs(pid);
  }
}

/** Systems without /proc. */
async function askPs(pid: number): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
    return Number(stdout.trim()) / KB_PER_MB;
  } catch {
    return 0;
  }
}
