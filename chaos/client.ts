// The client's process: begins a story every so often until the time is up, tells each to its end, and starts again
// from its log when it was killed. Ends by itself when everything it ever began is told.

import { setTimeout as wait } from 'node:timers/promises';
import { watchParent } from '../src/runtime/parent.ts';
import { createAsker } from './asking.ts';
import { type ClientLine, linesOf, parseClientLine } from './client-log.ts';
import { openJournal, readJournal } from './journal.ts';
import { tellStory } from './stories.ts';

const env = (name: string) => process.env[name] ?? '';
const seed = Number(env('CHAOS_SEED'));
const beganAt = Number(env('CHAOS_BEGAN_AT'));
const storyMs = Number(env('CHAOS_STORY_MS'));
const stories = Math.floor((Number(env('CHAOS_SECONDS')) * 1_000) / storyMs);
const file = env('CHAOS_CLIENT_LOG');
/** Of a platform with a few servers; more would measure the machine. */
const OPEN_MAX = 120;

watchParent(() => process.exit(1));
const before = readJournal(file, parseClientLine);
const journal = openJournal<ClientLine>(file);
const asker = createAsker({ urls: env('CHAOS_URLS').split(','), apiKey: env('CHAOS_KEY'), journal, before });
const told = new Set(linesOf(before, 'told').map(({ story }) => story));
const open = new Set<Promise<void>>();
process.stdout.write(`Client   has told ${told.size} stories\n`);

for (let story = 0; story < stories; story += 1) {
  if (told.has(story)) continue;
  await wait(Math.max(0, beganAt + story * storyMs - Date.now()));
  while (open.size >= OPEN_MAX) await Promise.race(open);
  const telling = tell(story).finally(() => open.delete(telling));
  open.add(telling);
}
await Promise.all(open);
journal.close();
// Connections that are kept open would hold the process.
process.exit(0);

async function tell(story: number): Promise<void> {
  await tellStory(story, { seed, asker, journal });
  journal.note({ what: 'told', story, at: Date.now() });
}
