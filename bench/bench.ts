// One run of the bench, from the servers it stands on to their end.

import { availableParallelism } from 'node:os';
import { createLogger } from '../src/runtime/logger.ts';
import { createShutdown } from '../src/runtime/shutdown.ts';
import { type Arguments, type BackendName, UsageError } from './arguments.ts';
import { unsafeSettings } from './database.ts';
import { type Ground, layGround } from './ground.ts';
import { prefill } from './prefill.ts';
import { type Row, rowOf, TABLE_HEAD, tableLine } from './row.ts';
import { measure } from './run.ts';
import { openStage } from './stage.ts';

export interface BenchOptions extends Arguments {
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  readonly out: { write(text: string): unknown };
  readonly progress: { write(text: string): unknown };
}

/** For the children, which need up to ten seconds of their own, when somebody presses Ctrl-C. */
const STOP_GRACE_MS = 25_000;

export async function runBench(options: BenchOptions): Promise<Row[]> {
  const { databaseUrl, redisUrl, backends, unsafe, progress } = options;
  const log = createLogger({ level: 'error', format: 'pretty', destination: process.stderr });
  const shutdown = createShutdown({ log, graceMs: STOP_GRACE_MS });
  shutdown.onSignal();
  progress.write('bench: starts its servers\n');
  const ground = await layGround({ databaseUrl, redisUrl, backends });
  shutdown.addGround('servers', ground.close);
  const rows: Row[] = [];
  try {
    const missing = unsafeSettings(ground.settings);
    if (missing.length > 0 && !unsafe) throw new UsageError(refusal(missing));
    progress.write(`bench: ${environmentNote(ground)}\n`);
    if (!options.json) options.out.write(`${TABLE_HEAD}\n`);
    for (const backend of ground.backends) {
      rows.push(...(await measureBackend(options, { ground, backend, isUnsafe: missing.length > 0, shutdown })));
    }
    return rows;
  } finally {
    await shutdown.run('the bench ended');
  }
}

async function measureBackend(
  options: BenchOptions,
  place: { ground: Ground; backend: BackendName; isUnsafe: boolean; shutdown: ReturnType<typeof createShutdown> },
): Promise<Row[]> {
  const { seconds, rounds, backlog, names, json, out, progress } = options;
  const { ground, backend, isUnsafe, shutdown } = place;
  const say = (text: string) => void progress.write(`bench: ${backend}: ${text}\n`);
  const stage = await openStage({ ground, backend, seconds, rounds, backlog, isUnsafe, say });
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= stage.close();
    return closing;
  };
  shutdown.add(`stage ${backend}`, close);
  const rows: Row[] = [];
  try {
    if (options.prefill > 0) await prefill(stage.books.app.db, { entries: options.prefill, say });
    await measure(stage, {
      names,
      report(figure) {
        const row = rowOf(figure, { backend, cores: availableParallelism(), isUnsafe });
        rows.push(row);
        out.write(`${json ? JSON.stringify(row) : tableLine(row)}\n`);
      },
    });
    return rows;
  } finally {
    await close();
  }
}

function refusal(missing: readonly string[]): string {
  return (
    `The database may lose what it has committed: ${missing.join(', ')} is off, so its figures compare with nothing. ` +
    'Set it on and reload the server, or say --unsafe and have it said in every row.'
  );
}

function environmentNote({ settings, redis }: Ground): string {
  const { version, fsync, synchronousCommit, fullPageWrites } = settings;
  return [
    `${availableParallelism()} cores`,
    `node ${process.versions.node}`,
    `PostgreSQL ${version}`,
    `fsync ${fsync}`,
    `synchronous_commit ${synchronousCommit}`,
    `full_page_writes ${fullPageWrites}`,
    redis === null ? 'no Redis' : `Redis ${redis.version}`,
  ].join(', ');
}
