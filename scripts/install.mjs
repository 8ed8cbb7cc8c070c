// Runs before every npm script: installs the locked dependencies when they are missing or older than the lockfile.
// Plain JavaScript for Node 20.10+, because it runs on whatever Node the system has, before ours is installed.
// Standard output stays clean: everything here and everything npm prints goes to standard error.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const wanted = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json');
const lock = join(root, '.install.lock');

const nodeFloor = [20, 10];
// A cold cache over a slow line takes a few minutes; past this the other install is taken for hung.
const waitMs = 10 * 60_000;
const pollMs = 200;

try {
  await main();
} catch (error) {
  process.stderr.write(`remit: ${error.message}\n`);
  process.exitCode = 1;
}

async function main() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < nodeFloor[0] || (major === nodeFloor[0] && minor < nodeFloor[1])) {
    throw new Error(
      `Node ${process.versions.node} is too old. Install Node ${nodeFloor.join('.')} or newer (https://nodejs.org).`,
    );
  }
  if (isInstalled()) return;
  if (!existsSync(wanted))
    throw new Error('package-lock.json is missing. Restore it with: git checkout package-lock.json');
  await takeLock();
  try {
    if (!isInstalled()) await install();
  } finally {
    rmSync(lock, { force: true });
  }
}

function isInstalled() {
  // pnpm keeps its own record of what it installed; running npm over its tree would break it.
  const agent = process.env.npm_config_user_agent ?? '';
  if (agent.startsWith('pnpm/') && existsSync(join(root, 'node_modules', '.modules.yaml'))) return true;
  const have = statSync(installed, { throwIfNoEntry: false });
  const want = statSync(wanted, { throwIfNoEntry: false });
  return have !== undefined && want !== undefined && have.mtimeMs >= want.mtimeMs;
}

async function install() {
  process.stderr.write('remit: installing dependencies (npm ci), once, about half a minute...\n');
  const code = await runNpm(['ci', '--include=dev', '--include=optional']);
  if (code !== 0) {
    throw new Error(
      `npm ci failed (${code}); its messages are above. ` +
        'Check the network, the registry setting (npm config get registry) and free disk space, then run: npm ci',
    );
  }
  // A lockfile dated in the future (clock skew, unpacked archive) must not cause an install at every start.
  const time = new Date(Math.max(Date.now(), statSync(wanted).mtimeMs));
  utimesSync(installed, time, time);
}

/** Runs npm under the Node that runs npm itself: the bundled one is about to be replaced by this very install. */
function runNpm(args) {
  const cli = process.env.npm_execpath;
  const isNpm = cli !== undefined && /npm-cli\.c?js$/.test(cli) && existsSync(cli);
  const options = { cwd: root, stdio: ['ignore', 2, 2] };
  const child = isNpm
    ? spawn(process.env.npm_node_execpath ?? process.execPath, [cli, ...args], options)
    : spawn('npm', args, { ...options, shell: process.platform === 'win32' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      child.kill(signal);
      rmSync(lock, { force: true });
      process.exit(128 + constants.signals[signal]);
    });
  }
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? code));
  });
}

/** One install at a time: `npm ci` empties node_modules first, so two at once would delete under each other. */
async function takeLock() {
  const giveUpAt = Date.now() + waitMs;
  let told = false;
  while (!createLock()) {
    const holder = readHolder();
    if (holder === null) {
      await delay(pollMs);
      continue;
    }
    if (!isAlive(holder.pid)) {
      breakLock(holder);
      continue;
    }
    if (!told) process.stderr.write(`remit: another install is running (process ${holder.pid}), waiting for it...\n`);
    told = true;
    if (Date.now() > giveUpAt) {
      throw new Error(`Process ${holder.pid} has been installing for too long. End it, delete ${lock}, and try again.`);
    }
    await delay(pollMs);
  }
}

function createLock() {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new Error(
      `Cannot write ${lock}: ${error.message}. Make the folder writable for this user, or run npm ci yourself.`,
    );
  }
}

function readHolder() {
  try {
    const text = readFileSync(lock, 'utf8');
    // An empty file is a lock whose owner is between creating it and writing its number.
    return text === '' && Date.now() - statSync(lock).mtimeMs < 2_000 ? null : { text, pid: Number(text) };
  } catch {
    return null;
  }
}

/** Takes a dead holder's lock away by renaming it, and puts it back if another process had already replaced it. */
function breakLock(holder) {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (readFileSync(aside, 'utf8') === holder.text) rmSync(aside);
    else renameSync(aside, lock);
  } catch {
    // Someone else was quicker; the next round looks again.
  }
}

function isAlive(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
