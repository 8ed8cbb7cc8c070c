// What the parts of the demo have in common: the stage they play on, and how they look at what came of a step.

import { z } from 'zod';
import type { Client, Reply } from './demo-client.ts';
import type { Listener } from './demo-listener.ts';
import type { Screen } from './demo-screen.ts';

export interface Stage {
  readonly client: Client;
  readonly screen: Screen;
  readonly listener: Listener;
}

/** Looks that are repeated until something has happened outside. */
const LOOKS_MAX = 200;
const LOOK_EVERY_MS = 150;

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(
    `The demo waited ${(LOOKS_MAX * LOOK_EVERY_MS) / 1000} s in vain. Run it again on a quieter machine.`,
  );
}

const balances = ['posted', 'held', 'available', 'pending', 'debt'] as const;
type Balances = Partial<Record<(typeof balances)[number], string>>;

/** Reads the wallet and claims that it holds what it should; shows the balances that are named. */
export async function expectWallet({ client, screen }: Stage, wallet: string, expected: Balances): Promise<void> {
  const { body } = await client.get(`/v1/wallets/${encodeURIComponent(wallet)}`);
  const named = balances.filter((name) => expected[name] !== undefined);
  const found = named.map((name) => `${name} ${body[name]}`).join(', ');
  screen.claim(
    `${wallet}: ${found}`,
    named.every((name) => body[name] === expected[name]),
  );
}

export function hasSucceeded({ body }: Reply): boolean {
  return body.status === 'succeeded' && typeof body.extern_payment_id === 'string';
}

export function failureOf({ body }: Reply): string | null {
  return z.object({ code: z.string() }).nullable().parse(body.failure)?.code ?? null;
}

/** Waits until the web app was told of each of these, and claims it; names what it heard. */
export async function expectHeard({ screen, listener }: Stage, expected: readonly string[]): Promise<void> {
  const names = () => listener.heard().map(({ type, subject }) => `${type} ${subject}`);
  await until(() => expected.every((name) => names().includes(name))).catch(() => undefined);
  const told = new Set(names());
  screen.claim(
    `the web app heard: ${expected.join(', ')}`,
    expected.every((name) => told.has(name)),
  );
}
