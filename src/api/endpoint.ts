// One route as data: what it takes, who may call it, what it answers, and its handler. The server and the OpenAPI
// document are both made from the same list of endpoints, so they cannot disagree.

import { z } from '@hono/zod-openapi';
import type { HonoRequest } from 'hono';
import { type ErrorCode, PaymentError } from '../domain/errors.ts';
import type { Scope } from '../jobs/api-key.ts';
import { type Caller, requireScope } from './auth.ts';
import { BATCH_BYTES_MAX, BODY_BYTES_MAX, readJson } from './body.ts';
import type { Api } from './context.ts';
import { answerHeaders, traceparentOf } from './request-context.ts';
import { refuseUnsafe } from './untrusted.ts';
import { parse, withKey } from './validation.ts';

interface EndpointSpec<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> {
  readonly method: 'get' | 'post';
  /** As OpenAPI writes it: "/v1/payouts/{semantic_key}". */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The member that holds the items of a batch; they are checked one by one. */
  readonly batchOf?: string;
  /** The body names an operation by semantic_key, which may come as a header. */
  readonly isNamed?: boolean;
  /** What stands in the way of it has an address, which a 409 gives. */
  readonly isConflictLocated?: boolean;
  readonly answer: Answer;
  /** Status -> what it means here. */
  readonly statuses: Readonly<Record<number, string>>;
  /** Besides those that every route with a key or a body can return. */
  readonly errors: readonly ErrorCode[];
  handle(
    request: {
      readonly params: z.output<Params>;
      readonly query: z.output<Query>;
      readonly body: z.output<Body>;
      readonly caller: Caller;
      readonly requestId: string;
      readonly traceparent: string | null;
    },
    api: Api,
  ): Promise<Reply<z.input<Answer>>>;
}

export interface Reply<Body> {
  readonly status: number;
  readonly body: Body;
  readonly location?: string;
  readonly isReplayed?: boolean;
}

/** The description that the document is made from; the schemas' own types no longer matter there. */
export interface Endpoint {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType;
  readonly isNamed: boolean;
  readonly isConflictLocated: boolean;
  readonly answer: z.ZodType;
  readonly statuses: Readonly<Record<number, string>>;
  readonly errors: readonly ErrorCode[];
  respond(request: HonoRequest, calling: Calling, api: Api): Promise<Response>;
}

interface Calling {
  readonly caller: Caller;
  readonly requestId: string;
}

/** For routes without parameters in the address, in the query, or in a body. */
export const none = z.strictObject({});
export const noBody = none.optional();

export function endpoint<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType,
>(spec: EndpointSpec<Params, Query, Body, Answer>): Endpoint {
  return {
    ...spec,
    isNamed: spec.isNamed ?? false,
    isConflictLocated: spec.isConflictLocated ?? false,
    async respond(request, { caller, requestId }, api) {
      requireScope(caller, spec.scope);
      const body = await readBody(request, spec);
      const reply = await spec.handle(
        {
          params: parsePath(spec.params, request.param()),
          query: parse(spec.query, queryOf(request), '#/query'),
          body: parse(spec.body, body, ''),
          caller,
          requestId,
          traceparent: traceparentOf(request.header('traceparent')),
        },
        api,
      );
      return responseOf(reply, requestId);
    },
  };
}

async function readBody(
  request: HonoRequest,
  spec: { method: string; body: z.ZodType; batchOf?: string; isNamed?: boolean },
): Promise<unknown> {
  if (spec.method === 'get') return undefined;
  const isBatch = spec.batchOf !== undefined;
  const value = await readJson(request, isBatch ? BATCH_BYTES_MAX : BODY_BYTES_MAX);
  if (value === undefined && spec.body !== noBody) {
    throw new PaymentError('malformed-json', { detail: 'The body is empty. Send one JSON object.' });
  }
  refuseUnsafe(value, { skip: spec.batchOf ?? null });
  return spec.isNamed ? withKey(value, request.header('idempotency-key')) : value;
}

/** A repeated parameter arrives as a list, which no schema accepts. */
function queryOf(request: HonoRequest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request.queries()).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

/** An address whose id is outside the grammar names nothing that could exist. */
function parsePath<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  try {
    return parse(schema, value, '#/path');
  } catch (cause) {
    const detail = 'Nothing has this id, because no id looks like it. Check the address; ids are case-sensitive.';
    throw new PaymentError('not-found', { cause, detail });
  }
}

function responseOf({ status, body, location, isReplayed }: Reply<unknown>, requestId: string): Response {
  const headers = {
    ...answerHeaders(requestId),
    'Content-Type': 'application/json',
    ...(location !== undefined && { Location: location }),
    ...(isReplayed === true && { 'Idempotency-Replayed': 'true' }),
  };
  return new Response(JSON.stringify(body), { status, headers });
}
