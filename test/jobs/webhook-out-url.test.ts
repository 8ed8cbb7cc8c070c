// Whoever registers an endpoint chooses where this host sends requests: none of them may lead inside.

import { describe, expect, test } from 'vitest';
import { createLookup, createUrlCheck, type Lookup } from '../../src/jobs/webhook-url.ts';
import { serveNames } from '../harness/name-server.ts';

const PUBLIC = '93.184.215.14';
const answering =
  (...addresses: string[]): Lookup =>
  async () =>
    addresses.map((address) => ({ address }));
const verdictOf = async (
  url: string,
  { lookup = answering(PUBLIC), allowHosts = [] }: { lookup?: Lookup; allowHosts?: string[] } = {},
) => {
  const checked = await createUrlCheck({ allowHosts, lookup })(url);
  return checked.type === 'allowed' ? checked.addresses.map(({ address }) => address).join() : checked.reason;
};

describe('a webhook URL', () => {
  test.each([
    'https://example.com/webhooks',
    'https://example.com:443/webhooks?tenant=1',
    'https://1.1.1.1/',
    'https://[2606:4700:4700::1111]/',
    'https://[64:ff9b::0101:0101]/',
  ])('%s may be called', async (url) => {
    expect(await verdictOf(url)).not.toMatch(/dns|allowed/);
  });

  test.each([
    ['plain http', 'http://example.com/'],
    ['another scheme', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['data', 'data:text/plain,x'],
    ['no URL', 'example.com'],
    ['nothing', ''],
    ['a user', 'https://user@example.com/'],
    ['a password', 'https://:secret@example.com/'],
    ['the port of a database', 'https://example.com:5432/'],
    ['the port of plain http', 'https://example.com:80/'],
    ['an unusual port', 'https://example.com:8443/'],
    ['loopback', 'https://127.0.0.1/'],
    ['loopback, short', 'https://127.1/'],
    ['loopback as one number', 'https://2130706433/'],
    ['loopback in hexadecimal', 'https://0x7f000001/'],
    ['loopback in octal', 'https://0177.0.0.1/'],
    ['loopback in full width', 'https://１２７.0.0.1/'],
    ['this host', 'https://0.0.0.0/'],
    ['private 10', 'https://10.0.0.1/'],
    ['private 172', 'https://172.31.255.255/'],
    ['private 192', 'https://192.168.1.1/'],
    ['shared', 'https://100.64.0.1/'],
    ['metadata', 'https://169.254.169.254/latest/meta-data/'],
    ['metadata of another cloud', 'https://100.100.100.200/'],
    ['metadata of a third cloud', 'https://192.0.0.192/'],
    ["a cloud's host agent", 'https://168.63.129.16/'],
    ['link-local', 'https://169.254.1.1/'],
    ['benchmark', 'https://198.18.0.1/'],
    ['documentation', 'https://203.0.113.9/'],
    ['multicast', 'https://224.0.0.1/'],
    ['reserved', 'https://240.0.0.1/'],
    ['broadcast', 'https://255.255.255.255/'],
    ['v6 loopback', 'https://[::1]/'],
    ['v6 unspecified', 'https://[::]/'],
    ['v6 private', 'https://[fd00:ec2::254]/'],
    ['v6 link-local', 'https://[fe80::1]/'],
    ['v6 multicast', 'https://[ff02::1]/'],
    ['v6 documentation', 'https://[2001:db8::1]/'],
    ['v6 mapped loopback', 'https://[::ffff:127.0.0.1]/'],
    ['v6 mapped metadata', 'https://[::ffff:169.254.169.254]/'],
    ['v6 compatible loopback', 'https://[::127.0.0.1]/'],
    ['v6 translated loopback', 'https://[64:ff9b::7f00:1]/'],
    ['v6 translated metadata', 'https://[64:ff9b::169.254.169.254]/'],
    ['v6 translated private', 'https://[64:ff9b::a00:0]/'],
    ['v6 locally translated', 'https://[64:ff9b:1::7f00:1]/'],
    ['6to4 of loopback', 'https://[2002:7f00:1::]/'],
    ['Teredo', 'https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/'],
  ])('of %s may not be called', async (_what, url) => {
    expect(await verdictOf(url)).toBe('url_not_allowed');
  });

  test.each([
    ['a private address', ['10.1.2.3']],
    ['loopback', ['127.0.0.1']],
    ['v6 loopback', ['::1']],
    ['an address of an interface', ['fe80::1%eth0']],
    ['a mapped one', ['::ffff:10.0.0.1']],
    ['a public and a private one', [PUBLIC, '192.168.0.7']],
  ])('whose name has %s may not be called', async (_what, addresses) => {
    expect(await verdictOf('https://inside.example.com/', { lookup: answering(...addresses) })).toBe('url_not_allowed');
  });

  test.each([
    ['http://127.0.0.1:4000/hook', '127.0.0.1:4000'],
    ['http://shop.example/hook', 'shop.example:80'],
    ['https://shop.example:8443/hook', 'shop.example:8443'],
    ['https://10.0.0.7/hook', '10.0.0.7:443'],
  ])('such as %s is told the setting that lets messages go there, and with it may be called', async (url, place) => {
    const checked = await createUrlCheck({ allowHosts: [], lookup: answering(PUBLIC) })(url);
    expect(checked).toMatchObject({ detail: expect.stringContaining(`WEBHOOK_ALLOW_HOSTS=${place} `) });
    expect(await verdictOf(url, { allowHosts: [place] })).not.toMatch(/dns|allowed/);
  });

  test('whose name has no address, or whose resolver fails, may not be called', async () => {
    expect(await verdictOf('https://nowhere.example.com/', { lookup: answering() })).toBe('dns');
    const failing = () => Promise.reject(new Error('SERVFAIL'));
    expect(await verdictOf('https://nowhere.example.com/', { lookup: failing })).toBe('dns');
  });
});

describe('a host and port that the operator allows', () => {
  const allowHosts = ['127.0.0.1:4000', 'Receiver.test:80', '[::1]:4001'];
  test.each([
    ['http://127.0.0.1:4000/hook', '127.0.0.1'],
    ['https://127.0.0.1:4000/hook', '127.0.0.1'],
    ['http://receiver.test/hook', '10.0.0.9'],
    ['http://[::1]:4001/', '::1'],
  ])('may be called: %s', async (url, address) => {
    expect(await verdictOf(url, { allowHosts, lookup: answering('10.0.0.9') })).toBe(address);
  });

  test.each([
    'http://127.0.0.1:4001/',
    'http://127.0.0.1/',
    'http://127.0.0.2:4000/',
    'https://receiver.test/',
    'ftp://127.0.0.1:4000/',
    'http://user@127.0.0.1:4000/',
  ])('opens nothing beside it: %s', async (url) => {
    expect(await verdictOf(url, { allowHosts, lookup: answering('10.0.0.9') })).toBe('url_not_allowed');
  });
});

describe('a name', () => {
  test('is asked of the name servers, for addresses of both kinds', async () => {
    const server = await serveNames({ 'both.example.com': { a: [93, 184, 215, 14], aaaa: Array(16).fill(0x20) } });
    const lookup = createLookup({ servers: [server.address] });
    expect(await lookup('both.example.com')).toEqual([
      { address: '93.184.215.14' },
      { address: '2020:2020:2020:2020:2020:2020:2020:2020' },
    ]);
    expect(await lookup('nobody.example.com')).toEqual([]);
    await server.close();
  });

  test('that a name server turns into one of ours is refused', async () => {
    const server = await serveNames({ 'trap.example.com': { a: [169, 254, 169, 254], aaaa: Array(16).fill(0x20) } });
    const lookup = createLookup({ servers: [server.address] });
    expect(await verdictOf('https://trap.example.com/', { lookup })).toBe('url_not_allowed');
    await server.close();
  });
});
