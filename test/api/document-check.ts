// Holds real answers to the OpenAPI document: a status that the route does not list, or a body that its schema does
// not allow, is an error of the test that provoked it.

import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApiDocument } from '../../src/api/server.ts';

interface Described {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

const document: { paths: Record<string, Record<string, Described>> } = JSON.parse(JSON.stringify(openApiDocument()));
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ ...document, $id: 'remit:document' });
const routes = Object.entries(document.paths).map(([path, methods]) => ({
  path,
  methods,
  pattern: new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

/** Addresses that the document does not know are nobody's promise, and are let through. */
export function checkAnswer(answer: {
  method: string;
  path: string;
  status: number;
  contentType: string | null;
  text: string;
}): void {
  const path = answer.path.split('?')[0] ?? '';
  const exact = routes.find((route) => route.path === path && answer.method.toLowerCase() in route.methods);
  const found =
    exact ?? routes.find(({ pattern, methods }) => pattern.test(path) && answer.method.toLowerCase() in methods);
  const described = found?.methods[answer.method.toLowerCase()];
  if (found === undefined || described === undefined) return;
  const place = `${answer.method} ${found.path}: ${answer.status}`;
  const response = described.responses[String(answer.status)];
  if (response === undefined) throw new Error(`${place} is not in the document: ${answer.text}`);
  const type = answer.contentType?.split(';')[0] ?? '';
  if (response.content?.[type] === undefined)
    throw new Error(`${place} answers ${type}, which is not in the document.`);
  if (!type.endsWith('json')) return;
  const steps = ['paths', found.path, answer.method.toLowerCase(), 'responses', String(answer.status), 'content', type];
  const pointer = [...steps, 'schema'].map((step) =>
    encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')),
  );
  const validate = ajv.getSchema(`remit:document#/${pointer.join('/')}`);
  if (validate === undefined) throw new Error(`${place} has no schema.`);
  if (validate(JSON.parse(answer.text)) !== true) throw new Error(`${place}: ${ajv.errorsText(validate.errors)}`);
  checkCode(place, response, { type, text: answer.text });
}

/** The examples of a problem response are the codes that the route lists. */
function checkCode(
  place: string,
  response: { readonly content?: Readonly<Record<string, object>> },
  { type, text }: { type: string; text: string },
): void {
  if (type !== 'application/problem+json') return;
  const content: object = response.content?.[type] ?? {};
  const examples: object =
    'examples' in content && typeof content.examples === 'object' ? (content.examples ?? {}) : {};
  const { code }: { code: string } = JSON.parse(text);
  if (!(code in examples)) throw new Error(`${place} answers ${code}, which the document does not list.`);
}
