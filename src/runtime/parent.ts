// Notices that the process which started us is gone. `npm start &` followed by `kill` ends npm's shell without telling
// us, and a closed terminal may do the same; without this we would run on with nobody knowing.

// Well inside the ten seconds in which everything must have ended, and too rare to cost anything.
const watchEveryMs = 500;

/** Calls `onGone` once when the parent changes. Returns a function that ends the watch. */
export function watchParent(onGone: () => void): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, watchEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
