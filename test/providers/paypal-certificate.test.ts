// The certificates of PayPal's webhooks: where they may be read from, and whose are trusted.

import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { allowedUrl, chainIn, createCertificates, isPaypalChain } from '../../src/providers/paypal/certificate.ts';
import { closedUrl, type LocalServer, serveText } from './local-server.ts';
import { quiet, verdictOf } from './paypal-rig.ts';

const file: unknown = JSON.parse(readFileSync(new URL('./paypal-certificates.json', import.meta.url), 'utf8'));
const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

describe('a certificate', () => {
  test.each<[string, boolean, boolean]>([
    ['https://api.paypal.com/v1/notifications/certs/CERT-1', true, true],
    ['https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1', true, true],
    ['http://127.0.0.1:4010/paypal/v1/notifications/certs/CERT-1', false, true],
    ['http://127.0.0.1:4011/v1/notifications/certs/CERT-1', false, false],
    ['http://api.paypal.com/v1/notifications/certs/CERT-1', false, false],
    ['https://api.paypal.com:8443/v1/notifications/certs/CERT-1', false, false],
    ['https://api.paypal.com/other', false, false],
    ['https://api.paypal.com/v1/notifications/certs/../../x', false, false],
    ['https://api.paypal.com/v1/notifications/certs/CERT-1?x=1', false, false],
    ['https://u:p@api.paypal.com/v1/notifications/certs/CERT-1', false, false],
    ['https://paypal.com.evil.example/v1/notifications/certs/CERT-1', false, false],
    ['https://evilpaypal.com/v1/notifications/certs/CERT-1', false, false],
    ['file:///etc/passwd', false, false],
    ['nonsense', false, false],
  ])('is read from %s: live %s, in the sandbox %s', (url, live, sandbox) => {
    expect(allowedUrl(url, null) !== null).toBe(live);
    expect(allowedUrl(url, 'http://127.0.0.1:4010/paypal') !== null).toBe(sandbox);
  });

  const names = ['root', 'sameNameRoot', 'intermediate', 'signing', 'namedInExtension', 'stranger'] as const;
  const more = ['notAnAuthority', 'signedByNoAuthority'] as const;
  const pem = z.record(z.enum([...names, ...more, 'note']), z.string()).parse(file);

  test.each<[string, readonly string[], boolean]>([
    ['of PayPal, with those up to the root', [pem.signing, pem.intermediate, pem.root], true],
    ['of PayPal, with those below the root', [pem.signing, pem.intermediate], true],
    ['that names PayPal in its extension', [pem.namedInExtension, pem.intermediate], true],
    ['of PayPal alone, for which the connection vouches', [pem.signing], true],
    ['of somebody else', [pem.stranger, pem.intermediate], false],
    ['of somebody else alone', [pem.stranger], false],
    ['that its neighbour did not issue', [pem.signing, pem.root], false],
    ['that ends at no root', [pem.signing, pem.intermediate, pem.sameNameRoot], false],
    ['that was issued by no authority', [pem.signedByNoAuthority, pem.notAnAuthority], false],
    ['that is missing', [], false],
  ])('%s is judged so', (_name, chain, expected) => {
    expect(isPaypalChain(chainIn(chain.join('\n')), [pem.root])).toBe(expected);
  });

  test('that is no certificate is none', () => {
    expect(chainIn('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toEqual([]);
    expect(chainIn('<html>')).toEqual([]);
    expect(chainIn(pem.signing.repeat(9))).toEqual([]);
  });

  const keyFrom = (url: string) =>
    createCertificates({ standInUrl: url, log: quiet }).keyAt(`${url}/certs/1`, new Date());
  const serve = async (...answer: Parameters<typeof serveText>) => {
    const server = await serveText(...answer);
    open.push(server);
    return server;
  };

  test('is read once for all webhooks, and not trusted after its time', async () => {
    const server = await serve(200, pem.signing);
    const certificates = createCertificates({ standInUrl: server.url, log: quiet });
    const at = new Date();
    await Promise.all([1, 2, 3].map(() => certificates.keyAt(`${server.url}/certs/1`, at)));
    await certificates.keyAt(`${server.url}/certs/1`, at);
    expect(server.seen).toEqual(['GET /certs/1']);
    const late = certificates.keyAt(`${server.url}/certs/1`, new Date('2999-01-01T00:00:00Z'));
    expect(await verdictOf(late)).toBe('invalid-signature');
  });

  test.each<[string, number, string, string]>([
    ['is not there', 404, '{"name":"RESOURCE_NOT_FOUND"}', 'invalid-signature'],
    ['is a page', 200, '<html>', 'invalid-signature'],
    ['cannot be read now', 503, '', 'unavailable'],
  ])('that %s', async (_name, status, text, expected) => {
    expect(await verdictOf(keyFrom((await serve(status, text)).url))).toBe(expected);
  });

  test('that nobody serves leaves the webhook to be sent again', async () => {
    expect(await verdictOf(keyFrom(await closedUrl()))).toBe('unavailable');
  });
});
