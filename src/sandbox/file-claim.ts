// One process per sandbox file: two writers would each carry out what is due, and money would seem to move twice. The
// claim is a listening socket, which the system takes away with its process however that ends.
import { hash } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** How long the sandbox of a process that is just ending may take to let go. */
const PATIENCE_MS = 10_000;
const LOOK_AGAIN_MS = 50;

/** Waits until the file is free, claims it, and returns how to let go of it. */
export async function claimFile(dataFile: string): Promise<() => Promise<void>> {
  const address = addressFor(dataFile);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const server = await listen(address);
    if (server) return () => release(server);
    if (!(await isAlive(address))) remove(address);
    else if (Date.now() < deadline) await wait(LOOK_AGAIN_MS);
    else throw new Error(`Another sandbox uses ${dataFile}. Stop it, or give this one another data folder.`);
  }
}

function addressFor(dataFile: string): string {
  // Socket paths are short on some systems (104 bytes), so the file's path goes in as a digest.
  const name = `remit-sandbox-${hash('sha256', resolve(dataFile), 'hex').slice(0, 16)}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(address: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  const listening = Promise.withResolvers<Server | null>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') listening.resolve(null);
    else listening.reject(error);
  });
  server.listen(address, () => listening.resolve(server.unref()));
  return listening.promise;
}

function isAlive(address: string): Promise<boolean> {
  const answered = Promise.withResolvers<boolean>();
  const socket = connect(address, () => answered.resolve(true));
  socket.once('error', () => answered.resolve(false));
  return answered.promise.finally(() => socket.destroy());
}

function remove(address: string): void {
  try {
    unlinkSync(address);
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isGone) throw new Error(`The stale socket ${address} cannot be removed. Remove it by hand.`, { cause: error });
  }
}

async function release(server: Server): Promise<void> {
  await new Promise((closed) => server.close(closed));
}
