// Money from one person's wallet to another's.

import { defineEntity, p } from '@mikro-orm/core';
import type { Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { FailureCode, Status } from '../domain/state-machine.ts';

export const TransferEntity = defineEntity({
  name: 'Transfer',
  tableName: 'transfer',
  properties: {
    // Derived from the semantic key.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // The caller's name for it; unique for ever.
    semanticKey: p.text().fieldName('semantic_key'),
    // initialized until its one commit makes it final.
    status: p.text().$type<Status>().fieldName('status'),
    // The wallet that pays.
    fromWallet: p.text().fieldName('from_wallet'),
    // The wallet that receives.
    toWallet: p.text().fieldName('to_wallet'),
    // What moves, in minor units.
    amountMinor: p.bigint().fieldName('amount'),
    // The currency of both wallets.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // Of the request that made it.
    fingerprint: p.blob().$type<Buffer>().fieldName('fingerprint'),
    // The caller's own fields.
    metadata: p.json<Record<string, unknown>>().fieldName('metadata'),
    // The trace of the request that made it.
    traceparent: p.text().fieldName('traceparent').nullable(),
    // Why it failed; set with the status.
    failureCode: p.text().$type<FailureCode>().fieldName('failure_code').nullable(),
    // The same in words.
    failureDetail: p.text().fieldName('failure_detail').nullable(),
    // When reconcile must run it; null when final.
    dueAt: p.datetime().fieldName('due_at').nullable(),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
    // The last change of any field.
    updatedAt: p.datetime().fieldName('updated_at'),
    // When it became final.
    finalAt: p.datetime().fieldName('final_at').nullable(),
  },
});
