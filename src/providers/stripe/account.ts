// Whether a connected account can be paid: what Stripe lets it receive, and what it still wants to know of it.

import { z } from 'zod';
import type { PayeeView, Provider } from '../../domain/provider.ts';
import { parseAnswer, uncertain } from '../surprise.ts';
import { boundsOf, isMissing, PROVIDER, type StripeAccess, surpriseOf } from './call.ts';

const names = z.array(z.string().max(255)).max(1000).nullish();

const ACCOUNT_ID = /^acct_[A-Za-z0-9_-]{1,250}$/;

const accountBody = z.object({
  id: z.string().regex(ACCOUNT_ID),
  object: z.literal('account'),
  capabilities: z.object({ transfers: z.string().optional() }).nullish(),
  payouts_enabled: z.boolean(),
  requirements: z
    .object({
      currently_due: names,
      disabled_reason: z.string().max(255).nullish(),
      past_due: names,
      pending_verification: names,
    })
    .nullish(),
});
type Account = z.infer<typeof accountBody>;

/** These are Stripe's own decisions; what else disables an account is waiting for something. */
const BLOCKING = /^(rejected\.|listed$|platform_paused$|other$)/;

export function refusalOfAccount(account: string): string | null {
  if (ACCOUNT_ID.test(account)) return null;
  return 'Stripe pays out to connected accounts, whose ids begin with "acct_". Send the id of one.';
}

export function createPayeeLookUp({ stripe }: StripeAccess): NonNullable<Provider['findPayee']> {
  return async (account, limits) => {
    try {
      const found = await stripe.accounts.retrieve(account, {}, boundsOf(limits)());
      const seen = parseAnswer(PROVIDER, accountBody, found);
      if (seen.id !== account) throw uncertain({ provider: PROVIDER, reason: 'another_account' });
      return viewOf(seen);
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw surpriseOf(cause);
    }
  };
}

/** A transfer needs the capability, and its way on to the bank needs payouts. */
function viewOf({ capabilities, payouts_enabled: canPayOut, requirements }: Account): PayeeView {
  if (capabilities?.transfers === 'active' && canPayOut) {
    return { status: 'payable', blockedReason: null, onboardingUrl: null };
  }
  const disabled = requirements?.disabled_reason ?? '';
  if (BLOCKING.test(disabled)) {
    const blockedReason = `Stripe has disabled this account (${disabled}). Ask Stripe, or pay another way.`;
    return { status: 'blocked', blockedReason, onboardingUrl: null };
  }
  return { status: 'pending', blockedReason: waitingFor(requirements), onboardingUrl: null };
}

function waitingFor(requirements: Account['requirements']): string {
  const due = [...(requirements?.past_due ?? []), ...(requirements?.currently_due ?? [])];
  const [first] = due;
  if (first !== undefined) {
    const more = new Set(due).size - 1;
    const what = more === 0 ? first : `${first} and ${more} more`;
    return `Stripe still needs ${what}. The payee gives it to Stripe, by its onboarding.`;
  }
  if ((requirements?.pending_verification ?? []).length > 0) {
    return 'Stripe is verifying what the payee gave. Wait for its decision.';
  }
  return 'The account cannot receive transfers yet. Request its capability "transfers", and have payouts enabled.';
}
