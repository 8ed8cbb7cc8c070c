// Everything that runs, and the wires between it. One folder holds all data and all logs.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cast, castOf } from './cast.ts';
import type { Child } from './child.ts';
import { openGuard } from './guard.ts';
import { openMarket } from './opening.ts';
import type { Options } from './options.ts';
import { freePorts } from './ports.ts';
import { type Postgres, postgresIn } from './postgres.ts';
import { type RedisServer, redisIn } from './redis.ts';
import { APIS, WORKERS } from './schedule.ts';
import { openWire, type Wire } from './wire.ts';

/** A process of remit and the wires that lead from it; `front` leads to it. */
export interface Member {
  readonly child: Child;
  readonly database: Wire;
  readonly redis: Wire | null;
  readonly provider: Wire | null;
  readonly front: Wire | null;
}

export interface SandboxSettings {
  readonly faults: object;
  readonly webhooks: object;
}

export interface Stage {
  readonly folder: string;
  readonly key: string;
  readonly urls: readonly string[];
  readonly postgres: Postgres;
  readonly redis: RedisServer | null;
  readonly sandbox: Child;
  readonly sandboxUrl: string;
  readonly client: Child;
  readonly members: ReadonlyMap<string, Member>;
  readonly files: { readonly clientLog: string; readonly heardLog: string };
  /** A sandbox that starts again has forgotten what it was told, so it is told then too. */
  setSandbox(settings: Partial<SandboxSettings>): Promise<void>;
  /** By which the clock of the one worker is wrong at its next start. */
  setClockShift(ms: number): void;
  /** Ended although nobody killed them. */
  ends(): readonly string[];
  stop(options: { keep: boolean }): Promise<void>;
}

type Say = (line: string) => void;
type Closers = (() => Promise<unknown>)[];

export async function openStage(options: Options, say: Say): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'remit-chaos-'));
  const guard = openGuard(folder);
  const closers: Closers = [];
  let stopping: Promise<void> | null = null;
  const end = async (keep: boolean) => {
    for (const close of closers.toReversed()) await close().catch((error: unknown) => say(`not ended: ${error}`));
    guard.dismiss();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  const stop: Stage['stop'] = ({ keep }) => {
    stopping ??= end(keep);
    return stopping;
  };
  try {
    return { ...(await build({ options, folder, closers, say, guard })), stop };
  } catch (cause) {
    await stop({ keep: true });
    throw new Error(`The run could not start; its logs are in ${join(folder, 'logs')}.`, { cause });
  }
}

interface Site {
  readonly options: Options;
  readonly folder: string;
  readonly closers: Closers;
  readonly guard: ReturnType<typeof openGuard>;
  readonly say: Say;
}

async function build({ options, folder, closers, guard, say }: Site): Promise<Omit<Stage, 'stop'>> {
  const logs = join(folder, 'logs');
  mkdirSync(logs);
  const [redisPort = 0, sandboxPort = 0, receiverPort = 0, ...apiPorts] = await freePorts(3 + APIS.length);
  const postgres = postgresIn(folder);
  say('starting PostgreSQL, with its durability on');
  await postgres.start();
  closers.push(() => postgres.stop());
  const redis = options.backend === 'redis' ? redisIn(folder, { port: redisPort, logs, guard }) : null;
  if (redis !== null) closers.push(() => redis.child.kill());
  await redis?.child.start();

  const webhooks = await openWire(() => apiPorts);
  closers.push(() => webhooks.close());
  const files = { clientLog: join(folder, 'client.jsonl'), heardLog: join(folder, 'heard.jsonl') };
  const ports = { sandbox: sandboxPort, receiver: receiverPort, webhooks: webhooks.port };
  const key = randomBytes(32).toString('base64url');
  const cast = castOf({ options, folder, logs, guard, key, ports, files });
  closers.push(() => Promise.all(cast.all().map((child) => child.kill())));

  const played = playedBy(cast, `http://127.0.0.1:${sandboxPort}`);
  await played.sandbox.start();
  await cast.migrate(postgres.urlAt(postgres.port()));
  say('starting two APIs and three workers');
  const members = await openMembers({ cast, postgres, redis, sandboxPort, apiPorts, closers });
  await Promise.all([...members.values()].map(({ child }) => child.start()));
  const urls = [...members.values()].flatMap(({ front }) => (front === null ? [] : `http://127.0.0.1:${front.port}`));
  const secret = await openMarket({ url: urls[0] ?? '', key, receiverPort });
  await cast.receiver(secret).start();
  const beganAt = { ms: 0 };
  const beganOnce = () => {
    beganAt.ms ||= Date.now();
    return beganAt.ms;
  };
  const client = cast.client({ urls, beganAt: beganOnce });
  const ends = () => cast.all().flatMap((child) => child.ends());
  const { setClockShift } = cast;
  return { folder, key, urls, postgres, redis, ...played, client, members, files, setClockShift, ends };
}

async function openMembers(at: {
  cast: Cast;
  postgres: Postgres;
  redis: RedisServer | null;
  sandboxPort: number;
  apiPorts: readonly number[];
  closers: Closers;
}): Promise<Map<string, Member>> {
  const { cast, postgres, redis, sandboxPort, apiPorts, closers } = at;
  const wireTo = async (targets: () => readonly number[]) => {
    const wire = await openWire(targets);
    closers.push(() => wire.close());
    return wire;
  };
  const members = new Map<string, Member>();
  for (const [index, name] of [...APIS, ...WORKERS].entries()) {
    const apiPort = apiPorts[index] ?? null;
    const database = await wireTo(() => [postgres.port()]);
    const redisWire = redis === null ? null : await wireTo(() => [redis.port]);
    // An API asks the sandbox for little, and a PayPal certificate must come from the sandbox's own address.
    const provider = apiPort === null ? await wireTo(() => [sandboxPort]) : null;
    const front = apiPort === null ? null : await wireTo(() => [apiPort]);
    const child = cast.member(name, {
      databaseUrl: postgres.urlAt(database.port),
      redisPort: redisWire?.port ?? null,
      sandboxPort: provider?.port ?? sandboxPort,
      apiPort,
    });
    members.set(name, { child, database, redis: redisWire, provider, front });
  }
  return members;
}

/** Far more than it takes: on a busy machine a run must not break off because its own sandbox was slow to be told. */
const TELL_MS = 15_000;

function playedBy(cast: Cast, sandboxUrl: string): Pick<Stage, 'sandbox' | 'sandboxUrl' | 'setSandbox'> {
  let settings: SandboxSettings = { faults: { rates: {} }, webhooks: {} };
  const tell = async () => {
    for (const [name, body] of Object.entries(settings)) {
      const signal = AbortSignal.timeout(TELL_MS);
      const sent = { method: 'POST', body: JSON.stringify(body), signal };
      const answer = await fetch(`${sandboxUrl}/_sandbox/${name}`, sent);
      if (!answer.ok) throw new Error(`The sandbox refused ${name}: ${await answer.text()}`);
    }
  };
  const sandbox = cast.sandbox(tell);
  return {
    sandbox,
    sandboxUrl,
    async setSandbox(changed) {
      settings = { ...settings, ...changed };
      // While it is down it cannot be told; it is told when it is ready.
      if (sandbox.isUp()) await tell().catch(() => undefined);
    },
  };
}
