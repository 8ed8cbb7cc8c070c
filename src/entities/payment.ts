// The columns that payouts, pay-ins and refunds have in common, because each is carried out at a provider.

import { p } from '@mikro-orm/core';
import type { Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Arrival, DeclineCode, ProviderName } from '../domain/provider.ts';
import type { FailureCode, Status } from '../domain/state-machine.ts';
import type { ReviewReason } from '../domain/verdict.ts';

/** Made anew for each entity: a builder belongs to one. */
export function paymentColumns() {
  return {
    // Derived from the semantic key; the provider's idempotency key.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // The caller's name for it; unique for ever.
    semanticKey: p.text().fieldName('semantic_key'),
    // Changes only by claim and settle, cancel and expiry.
    status: p.text().$type<Status>().fieldName('status'),
    // What is moved, in minor units.
    amountMinor: p.bigint().fieldName('amount'),
    // Its currency.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // Who carries it out.
    provider: p.text().$type<ProviderName>().fieldName('provider'),
    // Who is to have the money, as approved: an account, a checkout or wallet, a pay-in's payer.
    beneficiary: p.text().fieldName('beneficiary'),
    // Digest of amount, currency, provider and beneficiary as approved.
    approval: p.blob().$type<Buffer>().fieldName('approval'),
    // Of the request that made it.
    fingerprint: p.blob().$type<Buffer>().fieldName('fingerprint'),
    // The caller's own fields.
    metadata: p.json<Record<string, unknown>>().fieldName('metadata'),
    // The trace of the request that made it.
    traceparent: p.text().fieldName('traceparent').nullable(),
    // The provider's id, as soon as it is known.
    externPaymentId: p.text().fieldName('extern_payment_id').nullable(),
    // When it reaches the bank, where the provider tells.
    arrival: p.json<Arrival>().fieldName('arrival').nullable(),
    // Why it failed; set with the status.
    failureCode: p.text().$type<FailureCode>().fieldName('failure_code').nullable(),
    // The same in words.
    failureDetail: p.text().fieldName('failure_detail').nullable(),
    // Set while a person must look; cleared by a final status.
    reviewReason: p.text().$type<ReviewReason>().fieldName('review_reason').nullable(),
    // Since when a person must look.
    reviewSince: p.datetime().fieldName('review_since').nullable(),
    // What it waits for before it is sent first.
    waiting: p.text().$type<'provider_funds'>().fieldName('waiting').nullable(),
    // Counts claims; the fencing token of the present one.
    attempt: p.integer().fieldName('attempt'),
    // Set by claim, cleared by settle.
    leased: p.boolean().fieldName('leased'),
    // A look was asked for while it was leased.
    hinted: p.boolean().fieldName('hinted'),
    // When somebody must look again; null when final or unconfirmed.
    dueAt: p.datetime().fieldName('due_at').nullable(),
    // Claims in a row that ended without a settle.
    crashes: p.integer().fieldName('crashes'),
    // Settles as unknown so far.
    unknowns: p.integer().fieldName('unknowns'),
    // Settles as pending so far.
    pendings: p.integer().fieldName('pendings'),
    // Provider calls intended so far.
    calls: p.integer().fieldName('calls'),
    // First intent of a call that may move money.
    firstSentAt: p.datetime().fieldName('first_sent_at').nullable(),
    // Last such intent.
    lastSentAt: p.datetime().fieldName('last_sent_at').nullable(),
    // First intent of the second step, on two-stage providers.
    confirmSentAt: p.datetime().fieldName('confirm_sent_at').nullable(),
    // The provider's last own error under our key.
    storedError: p.text().fieldName('stored_error').nullable(),
    // How often a resend brought back that error.
    errorReplays: p.integer().fieldName('error_replays'),
    // Some call was answered with success, even by a worker that had lost its lease.
    sawSuccess: p.boolean().fieldName('saw_success'),
    // The provider's first final "no", even if the buyer could still try again there.
    declineCode: p.text().$type<DeclineCode>().fieldName('decline_code').nullable(),
    // The same in the provider's words.
    declineDetail: p.text().fieldName('decline_detail').nullable(),
    // When a cancel was asked for after it was claimed.
    cancelRequestedAt: p.datetime().fieldName('cancel_requested_at').nullable(),
    // What came back after success, in minor units.
    returnedMinor: p.bigint().fieldName('returned'),
    // What the provider charged, in minor units; booked once.
    feeMinor: p.bigint().fieldName('fee').nullable(),
    // The provider's own id of that charge.
    feeExternId: p.text().fieldName('fee_extern_id').nullable(),
    // When it was confirmed; until then it rests.
    confirmedAt: p.datetime().fieldName('confirmed_at').nullable(),
    // When it fails unless confirmed before.
    expiresAt: p.datetime().fieldName('expires_at').nullable(),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
    // The last change of any field.
    updatedAt: p.datetime().fieldName('updated_at'),
    // When it became final.
    finalAt: p.datetime().fieldName('final_at').nullable(),
  };
}
