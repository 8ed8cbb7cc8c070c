// Chance that can be had again: every draw depends on the seed and the name of what is drawn, and on nothing else, so
// that a restarted client or a second run draws the same.

import { hash } from 'node:crypto';

export interface Chance {
  /** From 0 up to 1. */
  fraction(name: string): number;
  /** A whole number from `min` to `max`, both included. */
  whole(name: string, min: number, max: number): number;
  one<Item>(name: string, items: readonly [Item, ...Item[]]): Item;
  shuffled<Item>(name: string, items: readonly Item[]): Item[];
}

/** 48 bits fit a double exactly. */
const HEX_DIGITS = 12;

export function chanceOf(seed: number): Chance {
  const fraction = (name: string) =>
    Number.parseInt(hash('sha256', `${seed}\n${name}`, 'hex').slice(0, HEX_DIGITS), 16) / 16 ** HEX_DIGITS;
  const whole = (name: string, min: number, max: number) => min + Math.floor(fraction(name) * (max - min + 1));
  return {
    fraction,
    whole,
    one: (name, items) => items[whole(name, 0, items.length - 1)] ?? items[0],
    shuffled: (name, items) =>
      items
        .map((item, index) => ({ item, rank: fraction(`${name}/${index}`) }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
  };
}
