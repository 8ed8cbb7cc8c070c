// The commands. Results go to stdout, everything else to stderr; exit codes are 0, 1 (found something, or could not)
// and 2 (usage).

import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import { PROVIDERS, providersFor } from '../domain/provider.ts';
import { STATEMENT_KINDS } from '../domain/statement.ts';
import { SCOPES, type Scope } from '../jobs/api-key.ts';
import { ConfigError } from '../runtime/config.ts';
import { surviveClosedTerminal } from '../runtime/shutdown.ts';
import { parseMix } from './load-plan.ts';
import { UsageError } from './usage-error.ts';

const USAGE_EXIT = 2;

export async function runProgram(argv: readonly string[]): Promise<void> {
  surviveClosedTerminal();
  try {
    await program().parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : USAGE_EXIT);
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(error instanceof ConfigError || error instanceof UsageError ? USAGE_EXIT : 1);
  }
}

function program(): Command {
  const remit = new Command('remit')
    .description('A payment processor: money moves exactly once.')
    // No short form: a key may begin with it.
    .version(readVersion(), '--version', 'print the version')
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)');
  remit
    .command('all')
    .description('run everything in one process tree, as npm start does')
    .action(async () => (await import('./all.ts')).runAll());
  remit
    .command('api')
    .description('serve the API, the board and the pages')
    .action(async () => (await import('./api.ts')).runApi());
  remit
    .command('worker')
    .description('run jobs and reconcile; start as many as you like')
    .action(async () => (await import('./worker.ts')).runWorker());
  remit
    .command('migrate')
    .description('bring the database up to date and end')
    .action(async () => (await import('./migrate.ts')).runMigrate());
  remit
    .command('sandbox')
    .description('run the stand-in for the providers')
    .option('--port <port>', 'port to listen on', parsePort)
    .option('--webhook-url <url>', 'where its events go, such as http://127.0.0.1:3000/webhooks')
    .action(async (options) => (await import('./sandbox.ts')).runSandbox(options));
  remit
    .command('audit')
    .description('prove the books; exit code 1 when something is wrong')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./audit.ts')).runAudit(options));
  remit
    .command('statement <file>')
    .description(
      "have every payment of a provider's list looked at, as after a restore; exit code 1 when one is unknown",
    )
    .addOption(new Option('--provider <provider>', 'whose list it is').choices(PROVIDERS).makeOptionMandatory())
    .addOption(new Option('--kind <kind>', 'what it lists').choices(STATEMENT_KINDS).makeOptionMandatory())
    .option('--wait <seconds>', 'how long to wait until workers have looked', parseSeconds, 60)
    .addHelpText('after', STATEMENT_HELP)
    .action(async (file, options) => (await import('./statement.ts')).runStatement(file, options));
  remit
    .command('demo')
    .description('play the whole story on a throw-away data folder; exit code 1 when something did not hold')
    .option('--rows <count>', 'so many lines of examples/payouts-1000.csv', parseRows, DEMO_ROWS_MAX)
    .action(async (options) => (await import('./demo.ts')).runDemo(options));
  remit
    .command('load')
    .description('send operations at a fixed rate to a running remit and measure until each is final')
    .option('--rate <rate>', 'operations a second, whatever the answers take', parseRate, 100)
    .option('--seconds <seconds>', 'how long to send', parseSeconds, 30)
    .addOption(
      new Option('--mix <shares>', 'kinds and their shares')
        .argParser(parseMix)
        .default(parseMix(LOAD_MIX_DEFAULT), LOAD_MIX_DEFAULT),
    )
    .option('--url <url>', 'where remit is', parseUrl, 'http://127.0.0.1:3000')
    .option('--key <key>', "API key with read, write and operate (default: REMIT_BOOTSTRAP_KEY, or the data folder's)")
    .option('--wallets <count>', 'wallets that the run makes and funds', parseWallets, 100)
    .addOption(
      new Option('--provider <provider>', 'who pays payouts out; demobank never moves real money')
        .choices(providersFor('payout'))
        .default('demobank'),
    )
    .option('--final-within <seconds>', 'what takes longer is late', parseSeconds, 60)
    .option('--yes', 'also where real accounts are in use')
    .option('--json', 'print JSON')
    .addHelpText('after', LOAD_HELP)
    .action(async (options) => (await import('./load.ts')).runLoad(options));
  const keys = remit.command('keys').description('make, list and revoke API keys');
  keys
    .command('create')
    .description('make a key and print it, once')
    .requiredOption('--scopes <scopes>', 'comma list of read, write, operate', parseScopes)
    .option('--name <name>', 'what it is for', 'unnamed')
    .action(async (options) => (await import('./keys.ts')).createKey(options));
  keys
    .command('list')
    .description('show every key without its value: id, times, scopes, name')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./keys.ts')).listKeys(options));
  keys
    .command('revoke <key...>')
    .description('refuse a key from now on: by its id, by the key itself, or by "-" and the key on the standard input')
    // A key may begin with a dash. Taken for an option it would be said back in an error, or show this help.
    .helpOption('--help', 'display help for command')
    .allowUnknownOption()
    .action(async (given) => (await import('./keys.ts')).revokeKey(given));
  remit
    .command('openapi')
    .description('print the OpenAPI document')
    .action(async () => (await import('./openapi.ts')).printOpenApi());
  return remit;
}

const manifestShape = z.object({ version: z.string() });

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return manifestShape.parse(JSON.parse(manifest)).version;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('Use a whole number from 0 to 65535.');
}

/** The example file has no more. */
const DEMO_ROWS_MAX = 1_000;

function parseRows(text: string): number {
  const rows = Number(text);
  if (Number.isInteger(rows) && rows >= 1 && rows <= DEMO_ROWS_MAX) return rows;
  throw new InvalidArgumentError(`Use a whole number from 1 to ${DEMO_ROWS_MAX}.`);
}

const LOAD_MIX_DEFAULT = 'transfers=0.7,payouts=0.3';
const LOAD_HELP = `
Latency counts from the moment an operation was due until it is final. Everything that a run makes is named
load:<run id>:..., so runs never meet; its wallets and their money stay in the books, which is why a remit with live
accounts is loaded only with --yes.
Exit code 1 when anything was refused, failed, was lost or was not final in time.`;

const STATEMENT_HELP = `
The file has a payment a line: the provider's id, or the id and our reference ("tr_1,5f0c..."), which payouts need to
be told with their amount. "-" reads from the standard input. A list that is of another kind or provider, as far as
the books or its ids say, is refused whole with exit code 2.`;

const RATE_MAX = 100_000;
const SECONDS_MAX = 86_400;
const WALLETS_MAX = 100_000;

function parseRate(text: string): number {
  const rate = Number(text);
  if (rate > 0 && rate <= RATE_MAX) return rate;
  throw new InvalidArgumentError(`Use a number above 0 and at most ${RATE_MAX}.`);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  throw new InvalidArgumentError(`Use seconds above 0 and at most ${SECONDS_MAX}.`);
}

/** A transfer needs two. */
function parseWallets(text: string): number {
  const wallets = Number(text);
  if (Number.isInteger(wallets) && wallets >= 2 && wallets <= WALLETS_MAX) return wallets;
  throw new InvalidArgumentError(`Use a whole number from 2 to ${WALLETS_MAX}.`);
}

function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError('Use an address such as http://127.0.0.1:3000.');
}

function parseScopes(text: string): Scope[] {
  return text.split(',').map((word) => {
    const scope = SCOPES.find((known) => known === word.trim());
    if (scope === undefined) throw new InvalidArgumentError(`Use a comma list of ${SCOPES.join(', ')}.`);
    return scope;
  });
}

/** One clear line; the stack helps only who asks for it. */
function messageOf(error: unknown): string {
  if (process.argv.includes('--trace') && error instanceof Error) return error.stack ?? error.message;
  if (error instanceof PaymentError) return error.detail;
  return error instanceof Error ? error.message : String(error);
}
