// Logging: one line per event on standard output, JSON or readable. Fields are allow-listed, so that a body, a key or
// card data handed to a log call by mistake is dropped instead of written.
import pino, { type ChildLoggerOptions, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

export type LoggerOptions = { level: string; format: 'pretty' | 'json'; destination?: DestinationStream };

const allowedFields: ReadonlySet<string> = new Set([
  'pkid',
  'semantic_key',
  'kind',
  'queue',
  'job_id',
  'request_id',
  'attempt',
  'status',
  'from',
  'to',
  'durationMs',
  'queuedMs',
  'provider',
  'extern_id',
  'code',
  'outcome',
  'route',
  'method',
  'url_path',
  'batch',
  'count',
  'reason',
  'port',
]);
const errorFields = ['name', 'code', 'message', 'stack'] as const;
// Causes can form a long chain; the first ones explain, and the bound ends a circle.
const causesMax = 5;

export function createLogger({ level, format, destination = standardOutput() }: LoggerOptions): Logger {
  const logger = pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: allowed },
      // `allowed` has described the error already; pino's own serializer would copy every field of it.
      serializers: { err: (described) => described },
    },
    format === 'pretty' ? { write: (line) => destination.write(prettyLine(line)) } : destination,
  );
  filterChildren(logger);
  return logger;
}

/** pino formats the fields of a single line, not those a child logger adds to all of its lines. */
function filterChildren(logger: Logger): void {
  const child = logger.child;
  Object.defineProperty(logger, 'child', {
    value(this: Logger, bindings: object, options?: ChildLoggerOptions) {
      return Reflect.apply(child, this, [allowed(bindings), options]);
    },
  });
}

export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}

function standardOutput(): DestinationStream {
  const out = pino.destination({ fd: 1, sync: true });
  // A closed terminal or pipe must not end a process that is still finishing its work.
  out.on('error', () => {});
  return out;
}

function allowed(fields: object): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'err') kept[name] = describeError(value, causesMax);
    else if (allowedFields.has(name) && isPlain(value)) kept[name] = typeof value === 'bigint' ? String(value) : value;
  }
  return kept;
}

/** A listed name is no licence for what hides below it: only single values pass. */
function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
}

function describeError(error: unknown, causesLeft: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: typeof error === 'string' ? error : 'not an Error object' };
  const described: Record<string, unknown> = {};
  for (const field of errorFields) {
    const value: unknown = Reflect.get(error, field);
    if (typeof value === 'string' || typeof value === 'number') described[field] = value;
  }
  if (error.cause !== undefined && causesLeft > 0) described.cause = describeError(error.cause, causesLeft - 1);
  return described;
}

function prettyLine(line: string): string {
  const { time, level, msg, err, ...fields }: Record<string, unknown> = JSON.parse(line);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
  const clock = String(time).slice('2026-01-01T'.length, -1);
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${msg ?? ''}${rest.join('')}${prettyError(err)}\n`;
}

function prettyError(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const { name, code, message, stack }: { name?: unknown; code?: unknown; message?: unknown; stack?: unknown } = err;
  const where = typeof stack === 'string' ? stack.split('\n').find((line) => line.includes(' at ')) : undefined;
  const kind = code === undefined ? `${name ?? 'Error'}` : `${name ?? 'Error'}(${code})`;
  return ` err=${kind}: ${message}${where === undefined ? '' : ` [${where.trim()}]`}`;
}
