// Requests checked against JSON Schema: a provider's own specification where there is one, our own schema elsewhere.
import { readFileSync } from 'node:fs';
import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv';

/** The first thing wrong with a value: which field, and in what way. */
export type Defect = { kind: 'unknown' | 'missing' | 'wrong'; field: string; detail: string };

export type SpecChecker = {
  body(path: string, value: Record<string, unknown>): Defect | null;
  query(path: string, value: Record<string, unknown>): Defect | null;
};

type Operation = {
  parameters?: { in: string; name: string; required?: boolean; schema: AnySchema }[];
  requestBody?: { content: Record<string, { schema: Record<string, unknown> }> };
};
type Spec = {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas?: Record<string, Record<string, unknown>> };
};

const CONTENT_TYPES = { form: 'application/x-www-form-urlencoded', json: 'application/json' } as const;

/**
 * Checkers for an OpenAPI file. The file is read and each schema compiled at its first use. Everything in a form or a
 * query is text, so those values are changed in place to the types the schema asks for; JSON is taken as it is.
 */
export function specChecker(file: URL, bodies: keyof typeof CONTENT_TYPES = 'form'): SpecChecker {
  const compiled = new Map<string, ValidateFunction>();
  let spec: Spec | null = null;

  function checker(name: string, schemaOf: (spec: Spec) => AnySchema): ValidateFunction {
    const known = compiled.get(name);
    if (known) return known;
    spec ??= JSON.parse(readFileSync(file, 'utf8'));
    if (!spec) throw new Error(`${file.pathname} is empty`);
    const isTyped = bodies === 'json' && name.startsWith('POST');
    const validate = (isTyped ? typed() : textual()).compile(schemaOf(spec));
    compiled.set(name, validate);
    return validate;
  }

  return {
    body: (path, value) =>
      check(
        checker(`POST ${path}`, (found) => bodySchema(found, path, CONTENT_TYPES[bodies])),
        value,
      ),
    query: (path, value) =>
      check(
        checker(`GET ${path}`, (found) => querySchema(found, path)),
        value,
      ),
  };
}

const SPEC_OPTIONS = {
  strict: false,
  allErrors: true,
  validateFormats: false,
  logger: false,
  unicodeRegExp: false,
} as const;
// Each takes tens of milliseconds to make and every schema some more, which a start has no use for.
const textual = once(() => new Ajv({ ...SPEC_OPTIONS, coerceTypes: 'array' }));
const typed = once(() => new Ajv(SPEC_OPTIONS));
const strict = once(() => new Ajv({ allErrors: true }));

function once<Made>(make: () => Made): () => Made {
  let made: { readonly it: Made } | null = null;
  return () => {
    made ??= { it: make() };
    return made.it;
  };
}

/** A checker for JSON bodies: nothing is converted. */
export function jsonChecker(schema: AnySchema): (value: unknown) => Defect | null {
  const validate = once(() => strict().compile(schema));
  return (value) => check(validate(), value);
}

function bodySchema({ paths, components }: Spec, path: string, contentType: string): AnySchema {
  const named = paths[path]?.post?.requestBody?.content[contentType]?.schema;
  const schema = typeof named?.$ref === 'string' ? components.schemas?.[named.$ref.split('/').at(-1) ?? ''] : named;
  if (!schema) throw new Error(`the specification has no POST ${path}`);
  return { ...schema, additionalProperties: false, components };
}

function querySchema({ paths, components }: Spec, path: string): AnySchema {
  const parameters = (paths[path]?.get?.parameters ?? []).filter((one) => one.in === 'query');
  return {
    type: 'object',
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
    required: parameters.filter((one) => one.required).map((one) => one.name),
    additionalProperties: false,
    components,
  };
}

function check(validate: ValidateFunction, value: unknown): Defect | null {
  if (validate(value)) return null;
  const errors = validate.errors ?? [];
  const first =
    errors.find((one) => one.keyword === 'additionalProperties') ??
    errors.find((one) => one.keyword === 'required') ??
    errors[0];
  return first ? defect(first) : { kind: 'wrong', field: '', detail: 'is not valid' };
}

function defect({ keyword, instancePath, params, message }: ErrorObject): Defect {
  const parts = instancePath.split('/').slice(1);
  if (keyword === 'additionalProperties') {
    return { kind: 'unknown', field: bracketed([...parts, params.additionalProperty]), detail: 'is not known' };
  }
  if (keyword === 'required') {
    return { kind: 'missing', field: bracketed([...parts, params.missingProperty]), detail: 'is missing' };
  }
  return { kind: 'wrong', field: bracketed(parts), detail: message ?? 'is not valid' };
}

function bracketed(parts: string[]): string {
  const [first = '', ...rest] = parts;
  return first + rest.map((part) => `[${part}]`).join('');
}
