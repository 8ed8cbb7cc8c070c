// From the bodies of pay-ins to what their lives are asked: how the buyer pays, and where they go afterwards.

import { z } from '@hono/zod-openapi';
import { pkidOf } from '../domain/id.ts';
import type { PayRequest } from '../jobs/checkout.ts';
import type { PayinRequest } from '../jobs/payin.ts';
import type { Caller } from './auth.ts';
import type { Api } from './context.ts';
import { DAY_MS, refuseExpiry } from './expiry.ts';
import { account, amount, currency, metadata, paymentKey, personsWallet, provider, time } from './fields.ts';
import { requireForSandbox } from './where-money-starts.ts';

/** Longer than any provider keeps a payment page open. */
const EXPIRES_WITHIN_MS = 30 * DAY_MS;
/** What browsers and providers take without complaint. */
const URL_LENGTH_MAX = 2048;
/** The length of a path to a mailbox (RFC 5321). */
const EMAIL_LENGTH_MAX = 254;
/** Letters of ASCII and what Stripe allows beside them; providers cut what they have no room for. */
const STATEMENT_DESCRIPTOR = /^(?=.*[A-Za-z])(?! )[A-Za-z0-9 !#$%&()+,\-./:;=?@[\]^_`{|}~]{1,22}(?<! )$/;
const URL_HINT = `Send an https URL of at most ${URL_LENGTH_MAX} characters; http is for this machine only.`;

export const paymentInfo = z
  .strictObject({
    provider,
    token: account.optional().openapi({
      description: "The provider's token of the means of payment. Without it the buyer chooses at the provider.",
      example: 'tok_ok_1',
    }),
  })
  .openapi('PaymentInfo');

const buyerUrl = z
  .string()
  .max(URL_LENGTH_MAX, URL_HINT)
  .refine(isBuyerUrl, URL_HINT)
  .openapi({ type: 'string', format: 'uri', example: 'https://shop.example/thanks' });

const buyer = z
  .strictObject({
    email: z.email('Send an e-mail address.').max(EMAIL_LENGTH_MAX, 'Send a shorter address.').optional(),
    ip: z.union([z.ipv4(), z.ipv6()], 'Send an IPv4 or IPv6 address.').optional(),
  })
  .openapi({ description: 'What some providers want to know of the buyer; never shown again.' });

const howToPay = {
  confirm: z.boolean().default(true).openapi({ description: 'False leaves it at rest until it is confirmed.' }),
  return_url: buyerUrl.optional().openapi({ description: 'Where the provider sends the buyer after paying.' }),
  cancel_url: buyerUrl.optional().openapi({ description: 'Where it sends a buyer who gives up.' }),
  statement_descriptor: z
    .string()
    .regex(STATEMENT_DESCRIPTOR, `Send 1 to 22 characters with a letter among them, without < > \\ ' " *.`)
    .optional()
    .openapi({ description: "What the buyer's statement shows.", example: 'SHOP 77' }),
  buyer: buyer.optional(),
  expires_at: time.optional().openapi({ description: 'Within 30 days; without it 60 minutes from now.' }),
  metadata,
};

export const payBody = z
  .strictObject({
    semantic_key: paymentKey,
    payment_info: paymentInfo.optional().openapi({ description: 'Without it: as the checkout says.' }),
    ...howToPay,
  })
  .openapi('NewCheckoutPayin');

export const payinBody = z
  .strictObject({
    semantic_key: paymentKey,
    wallet_id: personsWallet,
    amount,
    currency,
    payment_info: paymentInfo,
    ...howToPay,
  })
  .openapi('NewPayin');

interface Asked {
  readonly caller: Caller;
  readonly traceparent: string | null;
  readonly api: Api;
}

export async function payRequestOf(
  body: z.output<typeof payBody>,
  { checkoutId, caller, traceparent, api }: Asked & { readonly checkoutId: string },
): Promise<PayRequest> {
  const provider = body.payment_info?.provider ?? (await api.checkouts.find(checkoutId))?.paymentInfo.provider;
  // Without a checkout there is nothing to pay, and its life says so.
  if (provider !== undefined) requireForSandbox(provider, { caller, api });
  await refuseBadExpiry(body, api);
  return {
    ...howOf(body),
    traceparent,
    paymentInfo: body.payment_info === undefined ? null : infoOf(body.payment_info),
  };
}

export async function payinRequestOf(
  body: z.output<typeof payinBody>,
  { caller, traceparent, api }: Asked,
): Promise<PayinRequest> {
  requireForSandbox(body.payment_info.provider, { caller, api });
  await refuseBadExpiry(body, api);
  return {
    ...howOf(body),
    ...infoOf(body.payment_info),
    checkoutId: null,
    walletId: body.wallet_id,
    amountMinor: body.amount,
    currency: body.currency,
    traceparent,
  };
}

export function infoOf(info: z.output<typeof paymentInfo>) {
  return { provider: info.provider, token: info.token ?? null };
}

function howOf(body: Omit<z.output<typeof payBody>, 'payment_info'>) {
  return {
    semanticKey: body.semantic_key,
    confirm: body.confirm,
    returnUrl: body.return_url ?? null,
    cancelUrl: body.cancel_url ?? null,
    statementDescriptor: body.statement_descriptor ?? null,
    buyer: body.buyer === undefined ? null : { email: body.buyer.email ?? null, ip: body.buyer.ip ?? null },
    expiresAt: body.expires_at ?? null,
    metadata: body.metadata,
  };
}

/** A replay may well come after the expiry of what it repeats. */
async function refuseBadExpiry(
  { semantic_key, expires_at }: Pick<z.output<typeof payBody>, 'semantic_key' | 'expires_at'>,
  api: Api,
): Promise<void> {
  if (expires_at === undefined) return;
  if ((await api.payins.find(pkidOf('payin', semantic_key))) !== null) return;
  refuseExpiry(expires_at, { withinMs: EXPIRES_WITHIN_MS });
}

/** The buyer's browser goes there with the payment behind it: never in the clear, except on this machine. */
function isBuyerUrl(value: string): boolean {
  // The parser would mend what a provider may refuse.
  if (!/^https?:\/\/[^\s\p{Cc}]+$/iu.test(value)) return false;
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
