// Everything the file says, in memory and indexed. The same `apply` runs for a line just made and for a line read back.
import {
  type BookRow,
  type Direction,
  type Effect,
  type EventHead,
  type EventRecord,
  type KeyRecord,
  kindOf,
  type Payment,
} from './payment.ts';

/** Every account opens with this much in each currency; the contract fixes it, and it is not a row of the book. */
const OPENING_BALANCE = 10n ** 15n;

export type KnownKey = { record: KeyRecord; snapshot: Payment | null };

export type State = {
  apply(effect: Effect): { events: EventRecord[] };
  payment(id: string): Payment | undefined;
  /** Oldest first. */
  byReference(reference: { provider: string; reference: string }): Payment[];
  /** Newest first. */
  newest(provider: string): Iterable<Payment>;
  /** The refunds of a pay-in, oldest first. */
  refundsOf(payinId: string): Payment[];
  key(name: string): KnownKey | undefined;
  event(id: string): EventRecord | undefined;
  newestEvents(provider: string): Iterable<EventRecord>;
  undelivered(): EventRecord[];
  withDue(): Payment[];
  note(name: string): string | undefined;
  book: BookRow[];
  available(account: { provider: string; currency: string }): bigint;
  /** Currencies in which this provider has moved money. */
  currencies(provider: string): string[];
};

const SIGN = { in: 1n, return: 1n, dispute_won: 1n, out: -1n, refund: -1n, dispute: -1n, fee: -1n } satisfies Record<
  Direction,
  bigint
>;

export function emptyState(): State {
  const payments = new Map<string, Payment>();
  const idsByReference = new Map<string, string[]>();
  const idsByProvider = new Map<string, string[]>();
  const idsByParent = new Map<string, string[]>();
  const notes = new Map<string, string>();
  const keys = new Map<string, KnownKey>();
  const due = new Set<string>();
  const events = emptyEvents();
  const money = emptyBook();

  function keepPayment(payment: Payment): void {
    if (!payments.has(payment.id)) {
      push(idsByProvider, payment.provider, payment.id);
      if (payment.parent !== undefined) push(idsByParent, payment.parent, payment.id);
      if (payment.reference !== null) push(idsByReference, `${payment.provider}:${payment.reference}`, payment.id);
    }
    payments.set(payment.id, payment);
    if (payment.due) due.add(payment.id);
    else due.delete(payment.id);
  }

  function apply(effect: Effect): { events: EventRecord[] } {
    const { payment, note } = effect;
    if (note) notes.set(note.name, note.text);
    if (effect.key) keys.set(effect.key.name, { record: effect.key, snapshot: payment ?? null });
    if (effect.delivered !== undefined) events.delivered(effect.delivered);
    if (!payment) return { events: [] };
    keepPayment(payment);
    if (effect.row) money.keep(payment, effect.row, effect.at);
    if (effect.row && effect.fee) {
      money.keep(payment, { ...effect.row, direction: 'fee', amount: effect.fee }, effect.at);
    }
    const told = effect.events ?? (effect.event ? [effect.event] : []);
    return { events: told.map((head) => events.keep(payment, head, effect.at)) };
  }

  return {
    apply,
    payment: (id) => payments.get(id),
    byReference: ({ provider, reference }) => pick(idsByReference.get(`${provider}:${reference}`) ?? [], payments),
    newest: (provider) => backwards(idsByProvider.get(provider) ?? [], (id) => payments.get(id)),
    refundsOf: (payinId) => pick(idsByParent.get(payinId) ?? [], payments),
    key: (name) => keys.get(name),
    event: events.one,
    newestEvents: events.newest,
    undelivered: events.undelivered,
    withDue: () => pick([...due], payments),
    note: (name) => notes.get(name),
    book: money.book,
    available: money.available,
    currencies: money.currencies,
  };
}

function emptyBook() {
  const book: BookRow[] = [];
  const moved = new Map<string, Map<string, bigint>>();
  return {
    book,
    keep(payment: Payment, row: NonNullable<Effect['row']>, at: number): void {
      book.push({
        seq: book.length + 1,
        at: new Date(at).toISOString(),
        provider: payment.provider,
        direction: row.direction,
        key: payment.key,
        call_key: row.callKey,
        extern_id: payment.id,
        amount: row.amount,
        currency: payment.currency,
        destination: payment.destination,
      });
      const account = moved.get(payment.provider) ?? new Map<string, bigint>();
      moved.set(payment.provider, account);
      const change = signOf(payment, row.direction) * BigInt(row.amount);
      account.set(payment.currency, (account.get(payment.currency) ?? 0n) + change);
    },
    available({ provider, currency }: { provider: string; currency: string }): bigint {
      return OPENING_BALANCE + (moved.get(provider)?.get(currency) ?? 0n);
    },
    currencies: (provider: string) => [...(moved.get(provider)?.keys() ?? [])],
  };
}

function emptyEvents() {
  const events = new Map<string, EventRecord>();
  const byProvider = new Map<string, EventRecord[]>();
  const waiting = new Map<string, EventRecord>();
  return {
    keep(payment: Payment, { id, type }: EventHead, at: number): EventRecord {
      const event = { id, type, provider: payment.provider, at, payment };
      events.set(id, event);
      push(byProvider, payment.provider, event);
      waiting.set(id, event);
      return event;
    },
    delivered: (id: string) => waiting.delete(id),
    one: (id: string) => events.get(id),
    newest: (provider: string) => backwards(byProvider.get(provider) ?? [], (event) => event),
    undelivered: () => [...waiting.values()],
  };
}

/** Money that returns goes the other way than it went: a payout's comes back to us, a pay-in's leaves again. */
function signOf(payment: Payment, direction: Direction): bigint {
  return direction === 'return' && kindOf(payment) === 'payin' ? -1n : SIGN[direction];
}

function push<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name);
  if (list) list.push(item);
  else lists.set(name, [item]);
}

function pick(ids: string[], payments: Map<string, Payment>): Payment[] {
  return ids.flatMap((id) => payments.get(id) ?? []);
}

function* backwards<S, T>(list: S[], read: (item: S) => T | undefined): Iterable<T> {
  for (let index = list.length - 1; index >= 0; index -= 1) {
    const item = list[index];
    const value = item === undefined ? undefined : read(item);
    if (value !== undefined) yield value;
  }
}
