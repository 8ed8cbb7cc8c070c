// Commands that only play for whoever watches end with that reader, as behind `| head`. All others do what they were
// asked to, without a word.

export function whenUnread(end: () => void): void {
  for (const stream of [process.stdout, process.stderr]) stream.once('error', end);
}
