// A caller's key; only its SHA-256 is kept.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const ApiKeyEntity = defineEntity({
  name: 'ApiKey',
  tableName: 'api_key',
  properties: {
    // Random; names the key in logs and actions.
    keyId: p.uuid().fieldName('key_id').primary(),
    // What its maker calls it.
    name: p.text().fieldName('name'),
    // SHA-256 of the key.
    hash: p.blob().$type<Buffer>().fieldName('hash'),
    // read, write, operate.
    scopes: p.array().fieldName('scopes'),
    // When it was made.
    createdAt: p.datetime().fieldName('created_at'),
    // From then on it is refused.
    revokedAt: p.datetime().fieldName('revoked_at').nullable(),
  },
});

export type ApiKey = InferEntity<typeof ApiKeyEntity>;
