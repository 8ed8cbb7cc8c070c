// What a provider's handler may see and do: the state, the one way to change it, and what the control routes set.
import type { Answer, WireRequest } from './answer.ts';
import type { Faults } from './behaviour.ts';
import {
  type Effect,
  type EventRecord,
  type KeyRecord,
  kindOf,
  type Payment,
  type PaymentKind,
  type PaymentStatus,
} from './payment.ts';
import type { KnownKey, State } from './state.ts';

export type WebhookFaults = { duplicate: number; drop: number; delayMs: number; shuffle: boolean };

/** What a provider keeps of money that comes in: a share in percent and a fixed part in minor units, as text. */
export type Fee = { percent: string; fixed: string };

export type Settings = {
  faults: Faults;
  webhooks: WebhookFaults;
  /** Overrides every provider's own key retention. */
  retentionMs: number | null;
  /** By provider; one that is not named takes none. */
  fees: Record<string, Fee>;
  /** How long a buyer with the word `abandon` is waited for. */
  abandonMs: number;
  /** How long access tokens made from now on live (null: the provider's own), and which are void already. */
  tokens: { ms: number | null; voidBefore: number };
};

export type World = {
  state: State;
  settings: Settings;
  /** Keys whose first answer is not ready yet. */
  inFlight: Set<string>;
  now(): number;
  /** Where this sandbox listens, without a slash at the end. */
  url(): string;
  commit(effect: Effect): void;
  /** The number of this call among those that carried the key; memory only, so it begins again after a restart. */
  countCall(keyName: string): number;
};

/** What may become of a payment, for the events that tell of it. */
export type Happening =
  | 'created'
  | 'action'
  | 'approved'
  | 'pending'
  | 'paid'
  | 'declined'
  | 'declined_late'
  | 'canceled'
  | 'expired'
  | 'returned'
  | 'disputed'
  | 'dispute_won'
  | 'dispute_lost';

/** How one provider says what happened to one kind of payment. */
export type Voice = {
  keyRetentionMs: number;
  replayHeader: Record<string, string>;
  /** Whether a 500 given after the money moved stays under the key, as the provider's stored answer. */
  keepsServerError: boolean;
  /** Whether a call that ended in a 500 without moving money ends so again; otherwise its repeat is carried out. */
  repeatsError: boolean;
  /** Whether the object exists without the money having moved: then a refusal is a status of it. */
  objectFirst: boolean;
  /** Whether a key repeats its first answer, or tells how its object stands now. */
  keeps: 'first' | 'latest';
  /** The status of a first answer that is a success; repeats get 200. */
  successStatus: number;
  /** In which statuses a buyer may still pay, by way of the control route; `action` alone where nothing is said. */
  approvable?: readonly PaymentStatus[];
  /** The code with which a pending payment is refused in the end. */
  lateDeclineCode: string;
  /** The types of the events, in order; none for what is not named. */
  events: Partial<Record<Happening, readonly string[]>>;
  render(payment: Payment, world: World): string;
  /** The answer while the money has not moved yet, be it for the provider or for the buyer. */
  pending(payment: Payment, world: World): Answer;
  refusal(payment: Payment, world: World): Answer;
  /** What a repeat gets instead of how its payment stands. */
  repeat?(payment: Payment, world: World): Answer;
  serverError(): Answer;
  unavailable(): Answer;
  rateLimited(): Answer;
  keyInUse(callKey: string | null): Answer;
  keyReused(used: { callKey: string; endpoint: string; first: KeyRecord }, world: World): Answer;
};

export type Provider = {
  name: string;
  /** One for each kind of payment the provider has. */
  voices: Partial<Record<PaymentKind, Voice>>;
  handle(request: WireRequest, world: World): Answer;
  /** The body of a webhook, and the headers that prove where it came from. */
  webhookBody(event: EventRecord, world: World): string;
  sign(message: Unsigned): Record<string, string>;
};

export type Unsigned = {
  body: string;
  /** Of the webhooks of this provider; for PayPal the id of the webhook. */
  secret: string;
  atSeconds: number;
  event: EventRecord;
  /** Where the message goes. */
  url: string;
  world: World;
};

export function voiceOf({ name, voices }: Provider, payment: Payment): Voice {
  const voice = voices[kindOf(payment)];
  if (!voice) throw new Error(`${name} has no payments of the kind ${kindOf(payment)}`);
  return voice;
}

/** A key that the provider still remembers. */
export function rememberedKey(world: World, voice: Voice, name: string | null): KnownKey | undefined {
  const known = name === null ? undefined : world.state.key(name);
  if (!known) return undefined;
  const retentionMs = world.settings.retentionMs ?? voice.keyRetentionMs;
  return known.record.at + retentionMs > world.now() ? known : undefined;
}
