// One operation of the crash bench with the deaths that await it, and what has become of it.

import type { Pkid } from '../../src/domain/id.ts';
import type { Doom, Fate } from './fates.ts';
import type { Flow } from './flows.ts';
import type { Standing } from './standing.ts';

export interface Case {
  readonly flow: Flow;
  /** One after the other; behind them it lives. */
  readonly dooms: readonly Doom[];
}

export interface Outcome extends Case {
  readonly key: string;
  readonly pkid: Pkid;
  /** What it passed up to each death, and behind the last. */
  readonly lives: Fate['lives'];
  /** Null: it never came into being. */
  readonly standing: Standing | null;
  readonly isCalm: boolean;
}
