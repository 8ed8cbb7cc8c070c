// What every story is given to be told with.

import type { Asker } from './asking.ts';
import type { Chance } from './chance.ts';
import type { ClientLine } from './client-log.ts';
import type { Journal } from './journal.ts';

export interface Teller {
  readonly asker: Asker;
  readonly journal: Journal<ClientLine>;
  readonly chance: Chance;
  readonly number: number;
  /** Looks until the operation is final, or a person must look at it; returns what it was last. */
  untilFinal(collection: string, key: string): Promise<string>;
}
