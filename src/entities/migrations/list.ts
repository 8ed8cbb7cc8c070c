// The migrations in the order they run. Forward only: a released one is never edited, a mistake gets a new one.
// They are hand-written SQL, because a schema diff would drop the raw checks and triggers.

import { readFileSync } from 'node:fs';
import { Migration } from '@mikro-orm/migrations';

const NAMES = [
  '0001-payouts-and-transfers',
  '0002-checkouts',
  '0003-webhooks-out',
  '0004-external-payments',
  '0005-lean-transfers',
  '0006-lists',
  '0007-due-by-key',
  '0008-debts-by-owner',
  '0009-postings-of-few',
  '0010-foreseen-wallets',
] as const;

export const migrations = NAMES.map((name) => ({ name, class: migrationOf(name) }));

function migrationOf(name: string): new (...args: ConstructorParameters<typeof Migration>) => Migration {
  const statements = readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8');
  return class extends Migration {
    override up(): void {
      // An index on a large table takes longer than anything else may.
      this.addSql('SET LOCAL statement_timeout = 0');
      this.addSql(statements);
    }
  };
}
