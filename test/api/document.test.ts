// The OpenAPI document and the pages that every problem names.

import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../src/api/routes/all.ts';
import { openApiDocument } from '../../src/api/server.ts';
import { ERRORS } from '../../src/domain/errors.ts';
import { checkAnswer } from './document-check.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
}

interface Parsed {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly example?: unknown }>> };
}

const document: Parsed = JSON.parse(JSON.stringify(openApiDocument()));
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe('the document', () => {
  it('is the one that is served, and the same every time', async () => {
    const { text } = await rig.call('GET', '/openapi.json', { key: null });
    expect(text).toBe(JSON.stringify(openApiDocument()));
    expect(JSON.stringify(openApiDocument())).toBe(JSON.stringify(document));
    expect(document.openapi).toBe('3.1.0');
  });

  it('has every route that the server has', () => {
    const described = operations.map(({ method, path }) => `${method} ${path}`);
    expect(described).toEqual(expect.arrayContaining(endpoints.map(({ method, path }) => `${method} ${path}`)));
  });

  it('names each operation once, with a summary, its path parameters, and an answer', () => {
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, operation } of operations) {
      expect(operation.summary.length).toBeGreaterThan(5);
      const named = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(named.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  it('points nowhere but into itself', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(refs.length).toBeGreaterThan(20);
    for (const [, name = ''] of refs) expect(document.components.schemas).toHaveProperty(name);
  });

  it('has examples that its own schemas accept', () => {
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ ...document, $id: 'remit:examples' });
    const examples = Object.entries(document.components.schemas).filter(([, schema]) => schema.example !== undefined);
    expect(examples.length).toBeGreaterThan(8);
    for (const [name, { example }] of examples) {
      const validate = ajv.getSchema(`remit:examples#/components/schemas/${name}`);
      expect([name, validate?.(example), validate?.errors]).toEqual([name, true, null]);
    }
  });

  it('is what answers are held to: a status that it lacks is an error', () => {
    const answer = { method: 'GET', path: '/v1/wallets/x', contentType: 'application/json', text: '{}' };
    expect(() => checkAnswer({ ...answer, status: 418 })).toThrow('not in the document');
    expect(() => checkAnswer({ ...answer, status: 200 })).toThrow('must have required property');
  });
});

describe.each(Object.entries(ERRORS).map(([code, row]) => ({ code, ...row })))('/problems/$code', (row) => {
  it('is a page with a way out, for people and for programs', async () => {
    const page = await rig.call('GET', `/problems/${row.code}`, { key: null, headers: { Accept: 'text/html' } });
    expect(page.status).toBe(200);
    expect(page.headers.get('Content-Type')).toContain('text/html');
    expect(page.text).toContain(row.title);
    const headers = { Accept: 'application/json' };
    const { json } = await rig.call('GET', `/problems/${row.code}`, { key: null, headers });
    expect(json).toEqual({
      type: `/problems/${row.code}`,
      code: row.code,
      title: row.title,
      status: row.status,
      explanation: row.explanation,
      way_out: row.wayOut,
    });
  });
});

describe('the documentation page', () => {
  it('loads everything from here and nothing from elsewhere', async () => {
    const { text, headers } = await rig.call('GET', '/docs', { key: null });
    expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) {
      expect(link).toMatch(/^\/docs\//);
      expect((await rig.call('GET', link, { key: null })).status).toBe(200);
    }
  });
});
