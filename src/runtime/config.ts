// The environment, read once: every variable the processor knows, its limits, and what to do when a value is wrong.
// The only file that touches process.env; everything else gets its settings as arguments.
import { resolve } from 'node:path';
import { type ProviderConfig, providerContradictions, providersFrom } from './config-providers.ts';
import { badValues, type EnvironmentValues, environmentValues, misspeltNames } from './config-variables.ts';

export type Config = Readonly<
  ProviderConfig & {
    port: number;
    /** A port somebody asked for must be free; the default one may give way to the next free port. */
    portAsked: boolean;
    host: string;
    databaseUrl: string | null;
    redisUrl: string | null;
    dataDir: string;
    bootstrapKey: string | null;
    sandboxPort: number | null;
    /** Where the sandbox sends its events: `<this>/stripe` and so on. */
    sandboxWebhookUrl: string;
    logLevel: EnvironmentValues['LOG_LEVEL'];
    logFormat: 'pretty' | 'json';
    reconcileMs: number;
    leaseMs: number;
    providerTimeoutMs: number;
    sendDeadlineMs: number;
    rateLimitRps: number | null;
    webhookAllowHosts: readonly string[];
    keyRetentionMs: number | null;
    /** The books may be older than the world: each payment is looked for before it is sent first. */
    isRestored: boolean;
    unsafeDurability: boolean;
    shutdownGraceMs: number;
    concurrency: Readonly<{
      payin: number;
      payout: number;
      refund: number;
      transfer: number;
      webhookIn: number;
      webhookOut: number;
      maintenance: number;
    }>;
  }
>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every bad value at once, one per line, each with its fix. Never repeats the value of a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const portDefault = 3000;
// The send deadline keeps a call that was paused before sending from going out when its lease is nearly over.
const sendDeadlineMaxMs = 5_000;
const sendDeadlineShareOfLease = 10;
// The process must be gone 10 s after a signal; the rest is for the embedded database and the exit itself.
const shutdownGraceMs = 8_000;
// Jobs one process works on at once. Transfers are pure database work that shares commits, so many fit.
const concurrency = {
  payin: 64,
  payout: 128,
  refund: 64,
  transfer: 1536,
  webhookIn: 32,
  webhookOut: 32,
  maintenance: 2,
} as const;

export function readConfig(env: Environment = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const bad = badValues(given);
  // Contradictions are looked for among the good values too, so that one start reports everything.
  const good = Object.fromEntries(Object.entries(given).filter(([name]) => !bad.has(name)));
  const values = environmentValues.parse(good);
  const clashes = contradictions(values).filter((line) => ![...bad.keys()].some((name) => line.includes(name)));
  const problems = [...misspeltNames(Object.keys(given)), ...bad.values(), ...clashes];
  if (problems.length > 0) throw new ConfigError(problems);
  return freezeDeep(configFrom(values));
}

function configFrom(values: EnvironmentValues): Config {
  return {
    port: values.PORT ?? portDefault,
    portAsked: values.PORT !== undefined,
    host: values.HOST,
    databaseUrl: values.DATABASE_URL ?? null,
    redisUrl: values.REDIS_URL ?? null,
    dataDir: resolve(values.REMIT_DATA_DIR),
    bootstrapKey: values.REMIT_BOOTSTRAP_KEY ?? null,
    sandboxPort: values.SANDBOX_PORT ?? null,
    sandboxWebhookUrl: `http://${hostInUrl(values.HOST)}:${values.PORT ?? portDefault}/webhooks`,
    ...providersFrom(values),
    logLevel: values.LOG_LEVEL,
    logFormat: values.LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json'),
    reconcileMs: values.RECONCILE_MS,
    leaseMs: values.LEASE_MS,
    providerTimeoutMs: values.PROVIDER_TIMEOUT_MS,
    sendDeadlineMs: Math.min(sendDeadlineMaxMs, Math.floor(values.LEASE_MS / sendDeadlineShareOfLease)),
    rateLimitRps: values.RATE_LIMIT_RPS ?? null,
    webhookAllowHosts: values.WEBHOOK_ALLOW_HOSTS,
    keyRetentionMs: values.KEY_RETENTION_MS ?? null,
    isRestored: values.AFTER_RESTORE,
    unsafeDurability: values.REMIT_UNSAFE_DURABILITY,
    shutdownGraceMs,
    concurrency,
  };
}

/** An address that stands for all of this machine's is no address to call. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

/** Values that are fine alone and dangerous together. */
function contradictions(values: EnvironmentValues): string[] {
  const problems: string[] = [];
  const { LEASE_MS: lease, PROVIDER_TIMEOUT_MS: timeout } = values;
  if (lease < 2 * timeout) {
    problems.push(
      `LEASE_MS (${lease}) must be at least twice PROVIDER_TIMEOUT_MS (${timeout}), or a row could be claimed again ` +
        `while its call is still out. Set LEASE_MS=${2 * timeout} or more, ` +
        `or PROVIDER_TIMEOUT_MS=${Math.floor(lease / 2)} or less.`,
    );
  }
  problems.push(...providerContradictions(values));
  if (values.PORT !== undefined && values.PORT !== 0 && values.PORT === values.SANDBOX_PORT) {
    problems.push(
      `PORT and SANDBOX_PORT are both ${values.PORT}. Give them different ports, or leave SANDBOX_PORT out.`,
    );
  }
  return problems;
}

function freezeDeep<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) freezeDeep(part);
  }
  return Object.freeze(value);
}
