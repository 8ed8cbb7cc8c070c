// Whose fate a gap decides. Events, deliveries, refunds, disputes and checkouts have ids of their own, and belong to
// the one operation that the case watches.

import { sql } from 'kysely';
import type { App } from '../../src/app.ts';
import { PROVIDERS } from '../../src/domain/provider.ts';
import { createLoader } from '../../src/ledger/loader.ts';
import { pkidOfRefCode } from '../../src/providers/tipalti/reference.ts';
import type { Fate } from './fates.ts';

export interface Roster {
  fateOf(subject: string): Promise<Fate | undefined>;
  /** Of those that a provider's event names, by our id or by the provider's. */
  spokenOf(event: string): Promise<Fate[]>;
}

export function createRoster(fates: ReadonlyMap<string, Fate>, db: App['db']): Roster {
  // What has no owner yet may have one later, such as an event that is not matched.
  const known = new Map<string, string>();
  const owners = createLoader<string, string>(async (ids) => {
    const rows = await readOwners(db, ids);
    return new Map(rows.map(({ id, pkid, payin_pkid }) => [id, fates.has(pkid) ? pkid : (payin_pkid ?? pkid)]));
  });

  async function ownerOf(subject: string): Promise<string> {
    const owner = known.get(subject) ?? (await owners.load(subject).catch(() => null));
    if (owner === null) return '';
    known.set(subject, owner);
    return owner;
  }

  return {
    fateOf: async (subject) => fates.get(subject) ?? fates.get(await ownerOf(subject)),
    async spokenOf(event) {
      const names = [...new Set((event.match(PKID) ?? []).map((name) => pkidOfRefCode(name.replaceAll('-', ''))))];
      const named = names.flatMap((pkid) => fates.get(pkid ?? '') ?? []);
      if (named.length > 0) return named;
      const ids = [...new Set(event.match(EXTERN_ID) ?? [])];
      const owned = (await Promise.all(ids.map(ownerOf))).filter((owner) => fates.has(owner));
      // The event's own id is one of them, and has no row yet.
      const [owner] = owned;
      if (owner !== undefined) for (const id of ids) known.set(id, owner);
      return [...new Set(owned)].flatMap((pkid) => fates.get(pkid) ?? []);
    },
  };
}

/** One provider shows it without its dashes. */
const PKID = /[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/g;
const IS_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Where the ids of providers have a prefix; others name us. */
const EXTERN_ID = /\b(?:evt|pi|re|du|dp|ch)_[A-Za-z0-9]+/g;

interface Owned {
  readonly id: string;
  readonly pkid: string;
  readonly payin_pkid: string | null;
}

async function readOwners({ sql: client }: App['db'], ids: readonly string[]): Promise<readonly Owned[]> {
  const uuids = ids.filter((id) => IS_UUID.test(id));
  const { rows } = await sql<Owned>`
    SELECT found.id, found.pkid::text, coalesce(r.payin_pkid, d.payin_pkid)::text AS payin_pkid
    FROM (SELECT delivery_id::text AS id, pkid FROM delivery WHERE delivery_id = ANY(${uuids}::uuid[])
          UNION ALL SELECT event_id, pkid FROM provider_event
            WHERE provider = ANY(${[...PROVIDERS]}::text[]) AND event_id = ANY(${[...ids]}::text[]) AND pkid IS NOT NULL
          UNION ALL SELECT extern_payment_id, pkid FROM payin WHERE extern_payment_id = ANY(${[...ids]}::text[])
          UNION ALL SELECT pkid::text, pkid FROM refund WHERE pkid = ANY(${uuids}::uuid[])) found
    LEFT JOIN refund r ON r.pkid = found.pkid LEFT JOIN dispute d ON d.pkid = found.pkid`.execute(client);
  return rows;
}
