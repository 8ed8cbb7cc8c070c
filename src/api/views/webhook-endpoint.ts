// A webhook endpoint as the API shows it. Its secret is part of two answers only: when it is made, and when it changes.

import { z } from '@hono/zod-openapi';
import { EVENT_PATTERNS } from '../../domain/outgoing.ts';
import type { WebhookEndpoint } from '../../entities/webhook-endpoint.ts';
import { isoOrNull } from './operation.ts';

const EXAMPLE = {
  endpoint_id: '6d0c2d3e-5f7a-4f0e-8d39-0b0f3c2c9a11',
  url: 'https://example.com/webhooks',
  events: ['payout.*', 'transfer.failed'],
  status: 'enabled',
  disabled_reason: null,
  previous_secret_expires_at: null,
  created_at: '2026-01-31T12:00:00.000Z',
  updated_at: '2026-01-31T12:00:00.000Z',
};

const endpointFields = z.object({
  endpoint_id: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  status: z.enum(['enabled', 'disabled']),
  disabled_reason: z
    .enum(['requested', 'gone'])
    .nullable()
    .openapi({ description: 'gone: the endpoint answered 410.' }),
  previous_secret_expires_at: z
    .string()
    .nullable()
    .openapi({ description: 'Until then the secret before the last rotation signs too.' }),
  created_at: z.string(),
  updated_at: z.string(),
});

export const webhookEndpointView = endpointFields.openapi('WebhookEndpoint', { example: EXAMPLE });

export const webhookEndpointWithSecretView = endpointFields
  .extend({
    secret: z.string().openapi({ description: 'Verifies the signatures (Standard Webhooks). Shown only here.' }),
  })
  .openapi('WebhookEndpointWithSecret', {
    example: { ...EXAMPLE, secret: `whsec_${Buffer.alloc(32).toString('base64')}` },
  });

const UNKNOWN_EVENT = `Unknown event type. Use any of: ${EVENT_PATTERNS.join(', ')}.`;

export const eventPatterns = z
  .array(z.enum(EVENT_PATTERNS, { error: UNKNOWN_EVENT }))
  .min(1, 'Name at least one event type.')
  .max(EVENT_PATTERNS.length, 'Name each event type once.')
  .transform((patterns) => [...new Set(patterns)])
  .openapi({
    type: 'array',
    items: { type: 'string', enum: [...EVENT_PATTERNS] },
    minItems: 1,
    description: 'Event types; "payout.*" is every type of payouts, "*" is all.',
    example: ['payout.*', 'transfer.failed'],
  });

export function presentEndpoint(endpoint: WebhookEndpoint): z.input<typeof webhookEndpointView> {
  const { previousUntil } = endpoint;
  return {
    endpoint_id: endpoint.endpointId,
    url: endpoint.url,
    events: [...endpoint.events],
    status: endpoint.status,
    disabled_reason: endpoint.disabledReason ?? null,
    previous_secret_expires_at: isoOrNull(previousUntil ?? null),
    created_at: endpoint.createdAt.toISOString(),
    updated_at: endpoint.updatedAt.toISOString(),
  };
}
