// Notices that the process which started us is gone. `npm start &` followed by `kill` ends npm's shell without telling
// us, and a closed terminal may do the same; without this we would run on with nobody knowing.
import { readFileSync } from 'node:fs';

// Well inside the ten seconds in which everything must have ended, and too rare to cost anything.
const watchEveryMs = 500;

/** Calls `onGone` once when the parent changes. Returns a function that ends the watch. */
export function watchParent(onGone: () => void): () => void {
  const parent = process.ppid;
  const npm = npmAbove(parent);
  const timer = setInterval(() => {
    const isHere = process.ppid === parent && (npm === null || parentOf(parent) === npm);
    if (isHere) return;
    clearInterval(timer);
    onGone();
  }, watchEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * On Linux npm runs us in a shell that outlives a killed npm, so npm counts as our parent too. Only npm: any other
 * process above may end on purpose, as a login does after `nohup`.
 */
function npmAbove(parent: number): number | null {
  const above = parentOf(parent);
  if (above === null || !/^(\S*\/)?p?npm\b|npm-cli/.test(readProc(above, 'cmdline').replaceAll('\0', ' '))) return null;
  return above;
}

/** Null where the system does not tell, and when that process is gone. */
function parentOf(pid: number): number | null {
  // "pid (name) state parent ...", where the name may hold anything.
  const stat = readProc(pid, 'stat');
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  return Number.isSafeInteger(parent) ? parent : null;
}

function readProc(pid: number, file: 'stat' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
