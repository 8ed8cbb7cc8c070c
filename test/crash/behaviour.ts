// What a provider may do with money that goes out: every behaviour word but those which speak of money that comes in.

import { WORDS } from '../../src/sandbox/behaviour.ts';

export const WORDS_OUT = WORDS.filter((word) => !['action', 'abandon', 'dispute_won', 'dispute_lost'].includes(word));
