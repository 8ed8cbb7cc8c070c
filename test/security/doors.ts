// Every endpoint that the server is built from, with an address and a body of its own. Nothing here names a route, so
// that a new one is covered by every promise of this folder as soon as it exists.

import { endpoints } from '../../src/api/routes/all.ts';
import { openApiDocument } from '../../src/api/server.ts';
import { membersIn, type Schema, sampleOf, withValue } from './schema.ts';

type Endpoint = (typeof endpoints)[number];

export interface Door {
  /** "POST /v1/payouts", as tests call it. */
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Where it is reached: ids that fit the grammar and name nothing. */
  readonly address: string;
  readonly endpoint: Endpoint;
  /** What the document says of the body; null where there is none. */
  readonly schema: Schema | null;
  /** A body that the endpoint's own schema takes. */
  readonly body: unknown;
  /** The member that holds the items of a batch. */
  readonly batchOf: string | null;
}

interface Operation {
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

const document: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> } = JSON.parse(
  JSON.stringify(openApiDocument()),
);

/** One of each grammar that ids have. */
const NO_IDS = ['nobody', '00000000-0000-4000-8000-000000000000', 'stripe:nobody'];

export const doors: readonly Door[] = endpoints.map((endpoint) => {
  const { method, path } = endpoint;
  const schema = document.paths[path]?.[method]?.requestBody?.content['application/json'].schema ?? null;
  return {
    name: `${method.toUpperCase()} ${path}`,
    method: method === 'get' ? 'GET' : 'POST',
    path,
    address: addressOf(endpoint),
    endpoint,
    schema,
    body: schema === null ? undefined : bodyOf(endpoint, schema),
    batchOf: 'batchOf' in endpoint && typeof endpoint.batchOf === 'string' ? endpoint.batchOf : null,
  };
});

/** A row of `it.each` for each of them. */
export const namedDoors = doors.map((door) => [door.name, door] as const);

export function bodyTakers(): readonly Door[] {
  return doors.filter(({ schema }) => schema !== null);
}

/** With the ids given, or with those that name nothing. */
export function addressOf({ path, params }: Pick<Endpoint, 'path' | 'params'>, id?: string): string {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  return names.reduce((address, name) => address.replace(`{${name}}`, id ?? idFor(name, params)), path);
}

/** What is required, and one thing more where an endpoint wants one of several. */
function bodyOf({ body, method, path }: Endpoint, schema: Schema): unknown {
  const sample = sampleOf(schema);
  const optional = membersIn(schema).filter(({ path: place }) => place.length === 1);
  const tries = [sample, ...optional.map((one) => withValue(sample, schema, { ...one, value: sampleOf(one.schema) }))];
  const fitting = tries.find((candidate) => body.safeParse(candidate).success);
  if (fitting !== undefined) return fitting;
  throw new Error(`No body for ${method} ${path} follows from its examples. Give its fields better ones.`);
}

function idFor(name: string, params: Endpoint['params']): string {
  const refused = (id: string) => params.safeParse({ [name]: id }).error?.issues.some(({ path }) => path[0] === name);
  const id = NO_IDS.find((candidate) => refused(candidate) !== true);
  if (id === undefined) throw new Error(`No id fits {${name}}. Add one of its grammar that names nothing.`);
  return id;
}
