// The OpenAPI document, made from the same endpoints that the server runs.

import { OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';
import { ERRORS, type ErrorCode } from '../domain/errors.ts';
import { problemView } from './batch.ts';
import { type Endpoint, noBody, none } from './endpoint.ts';
import { provider, semanticKey } from './fields.ts';
import { endpoints } from './routes/all.ts';

type Responses = RouteConfig['responses'];
type Headers = Record<string, { schema: { type: 'string'; enum?: string[] }; description?: string }>;
export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

const WITH_KEY = ['unauthorized', 'forbidden', 'rate-limited', 'internal', 'unavailable'] as const;
const WITH_BODY = [
  'malformed-json',
  'unsupported-media-type',
  'body-too-large',
  'validation-failed',
  'card-data-not-accepted',
] as const;
const WEBHOOK_ERRORS = [
  'not-found',
  'invalid-signature',
  'stale-timestamp',
  'malformed-json',
  'validation-failed',
  'body-too-large',
  'internal',
  'unavailable',
] as const;
const WITH_NAME = ['semantic-key-missing', 'key-reused'] as const;
const COMMON_HEADERS = {
  'X-Request-Id': { schema: { type: 'string' }, description: 'Names this request in logs.' },
} satisfies Headers;
const LOCATION = { Location: { schema: { type: 'string' } } } satisfies Headers;
const RETRY_AFTER = { 'Retry-After': { schema: { type: 'string' }, description: 'Seconds.' } } satisfies Headers;
const REPLAYED = { 'Idempotency-Replayed': { schema: { type: 'string', enum: ['true'] } } } satisfies Headers;

const readinessView = z
  .object({
    ok: z.boolean(),
    checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
  })
  .openapi('Readiness');

export function openApiDocument(): OpenApiDocument {
  const app = new OpenAPIHono();
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', { type: 'http', scheme: 'bearer' });
  for (const endpoint of endpoints) app.openAPIRegistry.registerPath(routeOf(endpoint));
  for (const surface of SURFACES) app.openAPIRegistry.registerPath(surface);
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'remit',
      version: '1',
      description:
        'A payment processor. Amounts are decimal strings of minor units, times are RFC 3339 in UTC. ' +
        'A repeat under the same key is answered with what exists (200, Idempotency-Replayed: true).',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
  });
}

/** What takes no JSON request of ours: programs around remit, and providers. */
const SURFACES: readonly RouteConfig[] = [
  surface('/healthz', { summary: 'Whether the process serves', answer: z.object({ ok: z.boolean() }) }),
  {
    ...surface('/readyz', { summary: 'Whether everything it stands on serves', answer: readinessView }),
    responses: {
      200: { description: 'Ready.', headers: COMMON_HEADERS, content: json(readinessView) },
      503: { description: 'Not ready.', headers: COMMON_HEADERS, content: json(readinessView) },
    },
  },
  {
    method: 'get',
    path: '/metrics',
    tags: ['Surfaces'],
    summary: 'Prometheus metrics',
    description: 'Needs the scope `read`.',
    operationId: 'get_metrics',
    responses: {
      200: { description: 'Metrics.', headers: COMMON_HEADERS, content: { 'text/plain': { schema: z.string() } } },
      ...problemsOf([...WITH_KEY, 'not-found']),
    },
  },
  {
    method: 'post',
    path: '/webhooks/{provider}',
    tags: ['Surfaces'],
    summary: "The way in for a provider's events",
    description: "Signed by the provider; a repeat is answered as 'duplicate' and does nothing.",
    operationId: 'post_webhooks_provider',
    security: [],
    request: { params: z.object({ provider }) },
    responses: {
      200: {
        description: 'The event is stored.',
        headers: COMMON_HEADERS,
        content: json(z.object({ result: z.enum(['stored', 'duplicate']) })),
      },
      ...problemsOf(WEBHOOK_ERRORS),
    },
  },
];

function surface(path: string, { summary, answer }: { summary: string; answer: z.ZodType }): RouteConfig {
  const responses = { 200: { description: 'It does.', headers: COMMON_HEADERS, content: json(answer) } };
  const operationId = `get_${path.slice(1)}`;
  return { method: 'get', path, tags: ['Surfaces'], summary, operationId, security: [], responses };
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } };
}

function routeOf(endpoint: Endpoint): RouteConfig {
  const { method, path, tag, summary, scope, params, query, body, isNamed } = endpoint;
  const hasBody = method === 'post' && body !== noBody;
  return {
    method,
    path,
    tags: [tag],
    summary,
    description: `Needs the scope \`${scope}\`.`,
    operationId: operationIdOf(endpoint),
    request: {
      ...(params !== none && { params }),
      ...(query !== none && { query }),
      ...(isNamed && { headers: keyHeader }),
      ...(hasBody && { body: { required: true, content: { 'application/json': { schema: body } } } }),
    },
    responses: { ...answersOf(endpoint), ...problemsOf(errorsOf(endpoint), endpoint) },
  };
}

const keyHeader = z.object({
  'Idempotency-Key': semanticKey.optional().openapi({ description: 'The semantic_key, when the body has none.' }),
});

function answersOf({ statuses, answer, isNamed }: Endpoint): Responses {
  return Object.fromEntries(
    Object.entries(statuses).map(([status, description]) => {
      const isReplay = isNamed && status === '200';
      const isTaken = status === '201' || status === '202';
      const headers = { ...COMMON_HEADERS, ...(isReplay ? REPLAYED : {}), ...(isTaken ? LOCATION : {}) };
      return [status, { description, headers, content: { 'application/json': { schema: answer } } }];
    }),
  );
}

/** A POST that wants no body looks at one that comes all the same. */
function errorsOf({ method, errors, isNamed }: Endpoint): ErrorCode[] {
  const named = isNamed ? WITH_NAME : [];
  const bodied = method === 'post' ? WITH_BODY : [];
  return [...new Set<ErrorCode>([...WITH_KEY, 'validation-failed', ...bodied, ...named, ...errors])];
}

/** One response for each status, which lists the codes that it can carry. */
function problemsOf(codes: readonly ErrorCode[], { isConflictLocated = false } = {}): Responses {
  const byStatus = Map.groupBy([...codes].sort(), (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, sameStatus]) => {
      const description = sameStatus.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' ');
      const examples = Object.fromEntries(sameStatus.map((code) => [code, { value: exampleOf(code) }]));
      const content = { 'application/problem+json': { schema: problemView, examples } };
      const isLater = status === 429 || status === 503;
      const isLocated = isConflictLocated && status === 409;
      const headers = { ...COMMON_HEADERS, ...(isLater ? RETRY_AFTER : {}), ...(isLocated ? LOCATION : {}) };
      return [String(status), { description, headers, content }];
    }),
  );
}

function exampleOf(code: ErrorCode) {
  const { title, status, explanation, wayOut } = ERRORS[code];
  const detail = `${explanation} ${wayOut}`;
  return { type: `/problems/${code}`, title, status, detail, code, request_id: 'request-1' };
}

/** "/v1/payouts/{semantic_key}/confirm" by POST is "post_payouts_semantic_key_confirm". */
function operationIdOf({ method, path }: Endpoint): string {
  return [method, ...path.split('/').slice(2)].join('_').replaceAll(/[{}]/g, '').replaceAll('-', '_');
}
