// The JSON schemas of the OpenAPI document, as far as bodies need them: a sample that fits, and every place in it.

import { openApiDocument } from '../../src/api/server.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly minItems?: number;
  readonly enum?: readonly unknown[];
  readonly example?: unknown;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly maxLength?: number;
}

export type Path = readonly (string | number)[];

/** One member of a body: where it is, and what the document says of it. */
export interface Place {
  readonly path: Path;
  readonly name: string;
  readonly schema: Schema;
}

const { components }: { components: { schemas: Readonly<Record<string, Schema>> } } = JSON.parse(
  JSON.stringify(openApiDocument()),
);

export function resolved(schema: Schema): Schema {
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map(resolved));
  const name = schema.$ref?.split('/').at(-1);
  if (name === undefined) return schema;
  const found = components.schemas[name];
  if (found === undefined) throw new Error(`The document has no schema ${name}. Register it where it is used.`);
  return resolved(found);
}

/** By formats, where a schema gives no example. */
const SAMPLES: Readonly<Record<string, unknown>> = { email: 'ann@example.com', ip: '192.0.2.1', boolean: true };

/** Everything that is required, from the document's own examples; what is optional only where it is asked for. */
export function sampleOf(given: Schema): unknown {
  const schema = resolved(given);
  if (schema.example !== undefined) return schema.example;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.type === 'object') {
    const { properties = {}, required = [] } = schema;
    return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name] ?? {})]));
  }
  if (schema.type === 'array') return schema.items === undefined ? [] : [sampleOf(schema.items)];
  const [first] = schema.anyOf ?? [];
  if (first !== undefined) return sampleOf(first);
  const sample = SAMPLES[schema.format ?? schema.type ?? ''];
  if (sample === undefined) throw new Error(`No sample of ${JSON.stringify(schema)}. Give it an example.`);
  return sample;
}

/** Every object inside of a body, itself first. */
export function objectsIn(given: Schema, path: Path = []): Place[] {
  const schema = resolved(given);
  const own = isRecord(schema) ? [{ path, name: String(path.at(-1) ?? ''), schema }] : [];
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    objectsIn(member, [...path, name]),
  );
  const items = schema.items === undefined ? [] : objectsIn(schema.items, [...path, 0]);
  return [...own, ...members, ...items];
}

/** Every member of every object inside of a body. */
export function membersIn(schema: Schema): Place[] {
  return objectsIn(schema).flatMap(({ path, schema: object }) =>
    Object.entries(object.properties ?? {}).map(([name, member]) => ({
      path: [...path, name],
      name,
      schema: resolved(member),
    })),
  );
}

/** The same body with another value there; undefined takes it away. What lies on the way is made from its sample. */
export function withValue(body: unknown, schema: Schema, { path, value }: { path: Path; value: unknown }): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const inner = resolved(schema);
  if (typeof step === 'number') {
    const [first, ...others] = Array.isArray(body) ? body : [undefined];
    const item = inner.items ?? {};
    return [withValue(first ?? sampleOf(item), item, { path: rest, value }), ...others];
  }
  const members: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {};
  const member = inner.properties?.[step] ?? {};
  const before = members[step] ?? (rest.length > 0 ? sampleOf(member) : undefined);
  // As a member of its own: assigning to "__proto__" would set the prototype.
  Object.defineProperty(members, step, {
    value: withValue(before, member, { path: rest, value }),
    enumerable: true,
    writable: true,
    configurable: true,
  });
  return members;
}

/** Free members may be anything, so nothing is unknown there. */
function isRecord({ type, properties }: Schema): boolean {
  return type === 'object' && properties !== undefined;
}
