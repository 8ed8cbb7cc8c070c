// The life of a provider's event: verify, store, answer 200, then look. An event is a hint to ask the provider,
// never a verdict, so a forged, stale, repeated or shuffled one cannot move money.

import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import type { Payment } from '../domain/payment.ts';
import { type PaymentKind, PROVIDERS } from '../domain/provider.ts';
import { isFinal } from '../domain/state-machine.ts';
import { createSingleFlight } from '../runtime/single-flight.ts';
import type { DisputeLife } from './dispute.ts';
import type { Externals } from './external.ts';
import type { LifeOptions } from './life.ts';
import type { PayeeLife } from './payee.ts';
import { findPayments } from './payment/lookup.ts';
import { webhookJobId } from './queues.ts';
import type { PaymentLives } from './review.ts';
import type { Runner } from './runner.ts';
import { isOfStatement } from './statement.ts';
import { type ClaimedEvent, createInbox, type FinishedEvent, nameOf, type StoredEvent } from './webhook-in/rows.ts';
import { createUnmatched } from './webhook-in/unmatched.ts';

export type { StoredEvent } from './webhook-in/rows.ts';

export type WebhookInLife = ReturnType<typeof createWebhookIn>;

type Outcome = FinishedEvent['outcome'] | 'too_early';

/** How long an event waits for a run of its payment in this process: longer than a provider that is well takes. */
const OWN_ANSWER_MS = 200;
/** How long an event rests that came while a call was out. */
const TOO_EARLY_RETRY_MS = 1000;

export function createWebhookIn(
  options: LifeOptions & {
    readonly lives: PaymentLives;
    readonly disputes: DisputeLife;
    readonly payees: PayeeLife;
    readonly externals: Externals;
    readonly runner: Runner;
    readonly enqueueEvent: (job: { id: string } & StoredEvent) => Promise<void>;
  },
) {
  const { db, providers, lives, disputes, payees, externals, runner, timing, enqueueEvent, log, at } = options;
  const inbox = createInbox({ db, log, leaseMs: timing.leaseMs });
  const unmatched = createUnmatched(options);
  const inSingleFlight = createSingleFlight();

  async function effectOf(event: ClaimedEvent): Promise<{ outcome: Outcome; pkid: Pkid | null }> {
    const { provider, subject, externId } = event;
    if (subject === null) return { outcome: 'ignored', pkid: null };
    if (subject === 'dispute' || subject === 'payee') {
      const look = subject === 'dispute' ? disputes.look : payees.refresh;
      return { outcome: externId === null ? 'ignored' : await look(provider, externId), pkid: null };
    }
    const named = await namedIn(event, subject);
    const pkids = named === null ? await findByExternId(event, subject) : [named.pkid];
    const [pkid = null] = pkids;
    if (pkid !== null) return { outcome: await effectOnAll(subject, { ...event, pkids, named }), pkid };
    if (externId === null) return { outcome: 'ignored', pkid };
    return adopt(event, { subject, externId });
  }

  /** Of what we did not ask for: money that came in or went back becomes an operation, what went out is told. */
  async function adopt(
    event: ClaimedEvent,
    { subject, externId }: { subject: PaymentKind; externId: string },
  ): Promise<{ outcome: Outcome; pkid: Pkid | null }> {
    const { provider } = event;
    switch (subject) {
      case 'payin': {
        const adopted = await externals.adoptPayin(provider, externId);
        if (typeof adopted === 'string') return { outcome: adopted, pkid: null };
        const { ours } = adopted;
        return { outcome: await effectOnAll('payin', { ...event, pkids: [ours], named: null }), pkid: ours };
      }
      case 'refund':
        return { outcome: await externals.adoptRefund(provider, externId), pkid: null };
      case 'payout':
        return { outcome: 'unmatched', pkid: null };
    }
  }

  /** The payment of our own id in the event, if it is of the very kind the event speaks of. */
  async function namedIn({ provider, pkid }: ClaimedEvent, kind: PaymentKind): Promise<Payment | null> {
    if (pkid === null) return null;
    const found = await settledSoon(kind, pkid);
    return found?.provider === provider ? found : null;
  }

  async function findByExternId({ provider, externId }: ClaimedEvent, kind: PaymentKind): Promise<Pkid[]> {
    return externId === null ? [] : findPayments(db.sql, { kind, provider, externId });
  }

  /** Mostly it is our own call that the event tells of, and its answer is on the way. */
  async function settledSoon(kind: PaymentKind, pkid: Pkid): Promise<Payment | null> {
    await runner.ended(pkid, OWN_ANSWER_MS);
    return lives[kind].find(pkid);
  }

  /** One that came too early for any of them is looked at again for all of them. */
  async function effectOnAll(
    kind: PaymentKind,
    event: ClaimedEvent & { readonly pkids: readonly Pkid[]; readonly named: Payment | null },
  ): Promise<Outcome> {
    const { pkids, externId, named } = event;
    const outcomes: Outcome[] = [];
    for (const pkid of pkids) {
      const before = named ?? (await settledSoon(kind, pkid));
      outcomes.push(before === null ? 'unmatched' : await effectOn(kind, before, event));
      if (outcomes.includes('too_early')) return 'too_early';
      if (kind === 'payin' && externId !== null && (await lookBeside(pkid, externId))) outcomes.push('applied');
    }
    return outcomes.find((outcome) => outcome === 'applied') ?? outcomes[0] ?? 'unmatched';
  }

  async function effectOn(kind: PaymentKind, before: Payment, event: ClaimedEvent): Promise<Outcome> {
    const life = lives[kind];
    const { pkid } = before;
    const { provider, type, externId } = event;
    const isOnFile = before.status === 'succeeded' && externId !== null && externId === before.externPaymentId;
    if (isOnFile && providers.get(provider)?.[kind]?.creationEvents.includes(type)) return 'no_effect';
    if (isFinal(before.status)) return lookAgain(kind, pkid);
    // Of money that comes in, the event speaks of the payment by the very id that a look-up needs.
    const hinted = await life.hint(pkid, kind === 'payin' ? externId : null);
    if (at) await at('webhook-in: after hint commit', pkid);
    await runner.run(kind, pkid, { reason: 'webhook' });
    const seen = await life.find(pkid);
    // Nothing of it was ever sent from here, and yet the provider has it: the books are older than that.
    if (seen?.status === 'initialized' && seen.confirmedAt === null) return 'unmatched';
    // What can be asked for under our key alone may have been answered with what the key has kept since the first time.
    const isBlind = hinted.externPaymentId === null && providers.get(provider)?.[kind]?.canFindByKey === false;
    if (isBlind && seen !== null && isFinal(seen.status)) return lookAgain(kind, pkid);
    // The claim that ran meanwhile may have asked before this event, and end the payment without what the event tells,
    // such as a return. Only a call that began after the hint has seen it.
    const isSeen = seen !== null && ((seen.calls > hinted.calls && !isBlind) || seen.status === 'initialized');
    return isSeen ? 'hinted' : 'too_early';
  }

  /** A provider that has not answered yet is not asked more often because an event waits for its answer. */
  async function nextLookAt({ subject }: ClaimedEvent, pkid: Pkid | null): Promise<Date | null> {
    if (pkid === null || subject === null || subject === 'dispute' || subject === 'payee') return null;
    const row = await lives[subject].find(pkid);
    return row !== null && row.externPaymentId === null && !row.leased ? row.dueAt : null;
  }

  /** A buyer may pay twice, in two tabs; the second payment carries our id, and is not the one on file. */
  async function lookBeside(pkid: Pkid, externId: string): Promise<boolean> {
    const row = await lives.payin.find(pkid);
    if (row === null || externId === row.externPaymentId) return false;
    // Whose answer was lost is looked for by our own id.
    if (row.externPaymentId === null && !isFinal(row.status)) return false;
    return (await lives.payin.lookBeside(row, externId)) === 'applied';
  }

  /** Each life knows its own kind of row. */
  async function lookAgain(kind: PaymentKind, pkid: Pkid): Promise<Outcome> {
    switch (kind) {
      case 'payin':
        return compare(lives.payin, pkid);
      case 'payout':
        return compare(lives.payout, pkid);
      case 'refund':
        return compare(lives.refund, pkid);
    }
  }

  async function applyClaimed(event: ClaimedEvent): Promise<void> {
    const { provider, eventId } = event;
    const { outcome, pkid: found } = await effectOf(event);
    if (at) await at('webhook-in: before settle commit', eventId);
    if (outcome === 'too_early') {
      await inbox.postpone(event, { restMs: TOO_EARLY_RETRY_MS, notBefore: await nextLookAt(event, found) });
      return;
    }
    const isMatched = found !== null && (outcome === 'no_effect' || outcome === 'applied');
    if (isMatched && isOfStatement(eventId)) await unmatched.close(event);
    const pkid = outcome === 'unmatched' ? await unmatched.report(event) : found;
    await inbox.finish({ provider, eventId, outcome, pkid });
    if (at) await at('webhook-in: after settle commit', eventId);
  }

  async function applyOrRest(event: ClaimedEvent): Promise<void> {
    try {
      await applyClaimed(event);
    } catch (error) {
      // Where this fails too, the database is away, and the lease is the rest.
      await inbox.rest(event).catch(() => undefined);
      throw error;
    }
  }

  return {
    /** Verifies over the raw bytes and stores; a repeat of a stored event is told, and does nothing. */
    async receive(delivery: {
      provider: string;
      raw: Buffer;
      headers: Readonly<Record<string, string>>;
    }): Promise<'stored' | 'duplicate'> {
      const name = PROVIDERS.find((known) => known === delivery.provider);
      const provider = name && providers.get(name);
      if (provider === undefined) {
        const detail = 'No such provider sends webhooks here. Check the address.';
        throw new PaymentError('not-found', { detail });
      }
      const parsed = await provider.parseWebhook(delivery.raw, delivery.headers, new Date());
      const externId = parsed.externId === null ? null : storable(parsed.externId);
      const event = { ...parsed, eventId: storable(parsed.eventId), type: storable(parsed.type), externId };
      const subject = event.pkid ?? event.eventId;
      if (at) await at('webhook-in: before row commit', subject);
      const isNew = await inbox.store({ ...event, provider: provider.name, body: storableJson(delivery.raw) });
      if (at) await at('webhook-in: after row commit', subject);
      if (!isNew) return 'duplicate';
      const { eventId } = event;
      await enqueueEvent({ id: webhookJobId(provider.name, eventId), provider: provider.name, eventId });
      if (at) await at('webhook-in: after enqueue', subject);
      return 'stored';
    },

    /**
     * Applies a stored event once; run again after a crash, it looks again, which changes nothing twice. Where work has
     * piled up, leases end while their events wait here; reconcile brings those once more, and they run once all the
     * same.
     */
    async apply({ provider, eventId }: StoredEvent): Promise<void> {
      if (at) await at('webhook-in: before claim commit', eventId);
      const event = await inbox.claim({ provider, eventId });
      if (event === null) return;
      if (at) await at('webhook-in: after claim commit', eventId);
      await inSingleFlight(nameOf(event), () => applyOrRest(event));
    },
  };
}

async function compare<Row>(
  life: { find(pkid: Pkid): Promise<Row | null>; lookAgain(row: Row): Promise<'applied' | 'no_effect'> },
  pkid: Pkid,
): Promise<Outcome> {
  const row = await life.find(pkid);
  return row === null ? 'unmatched' : life.lookAgain(row);
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair; an event is stored all the same. */
function storable(text: string): string {
  return text.replaceAll('\u0000', '\uFFFD').toWellFormed();
}

/** Escaped characters may be such as the database cannot hold, and huge numbers are beyond it. */
const NEEDS_CARE = /\\u|\d[eE]|\d{100}/;

/** A provider that sends a form, not JSON, has it kept as text. */
function bodyIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function storableJson(raw: Buffer): string {
  const text = raw.toString('utf8');
  const body = bodyIn(text);
  if (typeof body === 'object' && !NEEDS_CARE.test(text)) return text;
  return JSON.stringify(body, (_name, value: unknown) => {
    if (typeof value === 'string') return storable(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [storable(name), member]));
  });
}
