// What a provider's handler may see and do: the state, the one way to change it, and what the control routes set.
import type { Answer, WireRequest } from './answer.ts';
import type { Faults } from './behaviour.ts';
import type { Effect, EventRecord, Payment } from './payment.ts';
import type { KnownKey, State } from './state.ts';

export type WebhookFaults = { duplicate: number; drop: number; delayMs: number; shuffle: boolean };

export type Settings = {
  faults: Faults;
  webhooks: WebhookFaults;
  /** Overrides every provider's own key retention. */
  retentionMs: number | null;
};

export type World = {
  state: State;
  settings: Settings;
  /** Keys whose first answer is not ready yet. */
  inFlight: Set<string>;
  now(): number;
  commit(effect: Effect): void;
  /** The number of this call among those that carried the key; memory only, so it begins again after a restart. */
  countCall(keyName: string): number;
};

/** How one provider says what happened. */
export type Voice = {
  keyRetentionMs: number;
  replayHeader: Record<string, string>;
  /** Whether a 500 given after the money moved stays under the key, as the provider's stored answer. */
  keepsServerError: boolean;
  /** Whether the object exists before the money moves: then a refusal is a status of it, and keys answer with it. */
  twoStage: boolean;
  /** The code with which a pending payment is refused in the end. */
  lateDeclineCode: string;
  eventTypes: { paid: string | null; declined: string | null; returned: string | null };
  render(payment: Payment): string;
  pending(payment: Payment): Answer;
  refusal(payment: Payment): Answer;
  serverError(): Answer;
  unavailable(): Answer;
  rateLimited(): Answer;
  keyInUse(callKey: string | null): Answer;
  keyReused(used: { callKey: string; endpoint: string; firstEndpoint: string }): Answer;
};

export type Provider = {
  name: string;
  voice: Voice;
  handle(request: WireRequest, world: World): Answer;
  /** The body of a webhook, and the headers that prove where it came from. */
  webhookBody(event: EventRecord): string;
  sign(message: { body: string; secret: string; atSeconds: number }): Record<string, string>;
};

/** A key that the provider still remembers. */
export function rememberedKey(world: World, voice: Voice, name: string | null): KnownKey | undefined {
  const known = name === null ? undefined : world.state.key(name);
  if (!known) return undefined;
  const retentionMs = world.settings.retentionMs ?? voice.keyRetentionMs;
  return known.record.at + retentionMs > world.now() ? known : undefined;
}
