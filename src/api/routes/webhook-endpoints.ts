// Webhook endpoints: where the platform's web app hears of what happened, and the log of what it was told.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { DELIVERY_STATUSES } from '../../domain/outgoing.ts';
import type { WebhookEndpoint } from '../../entities/webhook-endpoint.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { createdQuery, given, mapPage, pageOf, pageQuery, readPage } from '../pages.ts';
import { deliveryView, presentDelivery } from '../views/delivery.ts';
import {
  eventPatterns,
  presentEndpoint,
  webhookEndpointView,
  webhookEndpointWithSecretView,
} from '../views/webhook-endpoint.ts';

const PATH = '/v1/webhook-endpoints';
const tag = 'Webhooks';
/** Every address has an end that browsers and servers agree on. */
const URL_LENGTH_MAX = 2_048;
const params = z.strictObject({ endpoint_id: z.uuid() });
const deliveryParams = z.strictObject({ endpoint_id: z.uuid(), delivery_id: z.uuid() });

const create = endpoint({
  method: 'post',
  path: PATH,
  tag,
  summary: 'Register an endpoint for events',
  scope: 'write',
  params: none,
  query: none,
  body: z
    .strictObject({
      url: z
        .string()
        .min(1)
        .max(URL_LENGTH_MAX, `Send a URL of at most ${URL_LENGTH_MAX} characters.`)
        .openapi({ format: 'uri', example: 'https://example.com/webhooks' }),
      events: eventPatterns,
    })
    .openapi('NewWebhookEndpoint'),
  isConflictLocated: true,
  answer: webhookEndpointWithSecretView,
  statuses: { 201: 'Registered. The secret is shown only here.' },
  errors: ['url-not-allowed', 'invalid-state'],
  async handle({ body }, api) {
    const made = await api.webhookEndpoints.create(body);
    return { status: 201, location: `${PATH}/${made.endpoint.endpointId}`, body: presentWithSecret(made) };
  },
});

const list = endpoint({
  method: 'get',
  path: PATH,
  tag,
  summary: 'List webhook endpoints, newest first',
  scope: 'write',
  params: none,
  query: z.strictObject({ ...pageQuery, ...createdQuery, status: z.enum(['enabled', 'disabled']).optional() }),
  body: noBody,
  answer: pageOf(webhookEndpointView, 'WebhookEndpoint'),
  statuses: { 200: 'One page, without secrets.' },
  errors: [],
  async handle({ query }, api) {
    const { table } = api.webhookEndpoints;
    const where = given([query.status && sql`status = ${query.status}`]);
    const page = await readPage(api.db.sql, { table, id: 'endpointId', where, page: query });
    return { status: 200, body: mapPage(page, presentEndpoint) };
  },
});

const get = endpoint({
  method: 'get',
  path: `${PATH}/{endpoint_id}`,
  tag,
  summary: 'Read a webhook endpoint',
  scope: 'write',
  params,
  query: none,
  body: noBody,
  answer: webhookEndpointView,
  statuses: { 200: 'The endpoint, without its secret.' },
  errors: ['not-found'],
  async handle({ params: { endpoint_id: endpointId } }, api) {
    return { status: 200, body: presentEndpoint(await api.webhookEndpoints.find(endpointId)) };
  },
});

const rotate = endpoint({
  method: 'post',
  path: `${PATH}/{endpoint_id}/rotate`,
  tag,
  summary: 'Give the endpoint a new secret',
  scope: 'write',
  params,
  query: none,
  body: noBody,
  answer: webhookEndpointWithSecretView,
  statuses: { 200: 'The new secret, shown only here. For 24 hours the one before signs too.' },
  errors: ['not-found'],
  async handle({ params: { endpoint_id: endpointId } }, api) {
    return { status: 200, body: presentWithSecret(await api.webhookEndpoints.rotate(endpointId)) };
  },
});

const disable = endpoint({
  method: 'post',
  path: `${PATH}/{endpoint_id}/disable`,
  tag,
  summary: 'Send this endpoint nothing any more',
  scope: 'write',
  params,
  query: none,
  body: noBody,
  answer: webhookEndpointView,
  statuses: { 200: 'Disabled. Its log stays; what was on its way fails, and can be resent once it is enabled.' },
  errors: ['not-found'],
  async handle({ params: { endpoint_id: endpointId } }, api) {
    return { status: 200, body: presentEndpoint(await api.webhookEndpoints.disable(endpointId)) };
  },
});

const enable = endpoint({
  method: 'post',
  path: `${PATH}/{endpoint_id}/enable`,
  tag,
  summary: 'Send this endpoint events again',
  scope: 'write',
  params,
  query: none,
  body: noBody,
  isConflictLocated: true,
  answer: webhookEndpointView,
  statuses: { 200: 'Enabled. It gets what happens from now on.' },
  errors: ['not-found', 'url-not-allowed', 'invalid-state'],
  async handle({ params: { endpoint_id: endpointId } }, api) {
    return { status: 200, body: presentEndpoint(await api.webhookEndpoints.enable(endpointId)) };
  },
});

const listDeliveries = endpoint({
  method: 'get',
  path: `${PATH}/{endpoint_id}/deliveries`,
  tag,
  summary: 'List what an endpoint was told, newest first',
  scope: 'write',
  params,
  query: z.strictObject({ ...pageQuery, ...createdQuery, status: z.enum(DELIVERY_STATUSES).optional() }),
  body: noBody,
  answer: pageOf(deliveryView, 'Delivery'),
  statuses: { 200: 'One page.' },
  errors: ['not-found'],
  async handle({ params: { endpoint_id: endpointId }, query }, api) {
    const { find, eventsOf, deliveryTable } = api.webhookEndpoints;
    await find(endpointId);
    const where = given([
      sql`endpoint_id = ${endpointId}::uuid`,
      query.status && sql`status = ${query.status}`,
      // Says the same again in the words of the index of what waits.
      query.status === 'pending' && sql`due_at IS NOT NULL`,
    ]);
    const page = await readPage(api.db.sql, { table: deliveryTable, id: 'deliveryId', where, page: query });
    const events = await eventsOf(page.data);
    return { status: 200, body: mapPage(page, (delivery) => presentDelivery(delivery, events)) };
  },
});

const getDelivery = endpoint({
  method: 'get',
  path: `${PATH}/{endpoint_id}/deliveries/{delivery_id}`,
  tag,
  summary: 'Read a delivery',
  scope: 'write',
  params: deliveryParams,
  query: none,
  body: noBody,
  answer: deliveryView,
  statuses: { 200: 'The delivery as it is now.' },
  errors: ['not-found'],
  async handle({ params: { endpoint_id: endpointId, delivery_id: deliveryId } }, api) {
    const delivery = await api.webhookEndpoints.findDelivery({ endpointId, deliveryId });
    return { status: 200, body: presentDelivery(delivery, await api.webhookEndpoints.eventsOf([delivery])) };
  },
});

const resend = endpoint({
  method: 'post',
  path: `${PATH}/{endpoint_id}/deliveries/{delivery_id}/resend`,
  tag,
  summary: 'Send an event to the endpoint again',
  scope: 'write',
  params: deliveryParams,
  query: none,
  body: noBody,
  answer: deliveryView,
  statuses: { 202: 'It is sent again, under the same webhook-id and with the same body.' },
  errors: ['not-found', 'invalid-state'],
  async handle({ params: { endpoint_id: endpointId, delivery_id: deliveryId } }, api) {
    const delivery = await api.webhookEndpoints.resend({ endpointId, deliveryId });
    const body = presentDelivery(delivery, await api.webhookEndpoints.eventsOf([delivery]));
    return { status: 202, location: `${PATH}/${endpointId}/deliveries/${deliveryId}`, body };
  },
});

export const webhookEndpointRoutes = [create, list, get, rotate, disable, enable, listDeliveries, getDelivery, resend];

function presentWithSecret({ endpoint: made, secret }: { endpoint: WebhookEndpoint; secret: string }) {
  return { ...presentEndpoint(made), secret };
}
