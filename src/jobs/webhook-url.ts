// Which URLs outgoing webhooks may reach. Whoever registers an endpoint chooses where this host sends requests, so
// only public addresses are allowed, and the connection goes to the very addresses that were checked.

import { lookup as lookupBySystem, Resolver } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a host, as the resolver answers now. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

export type UrlCheck =
  | { readonly type: 'allowed'; readonly url: URL; readonly addresses: readonly Address[] }
  | { readonly type: 'refused'; readonly reason: 'url_not_allowed' | 'dns'; readonly detail: string };

export type CheckUrl = (url: string) => Promise<UrlCheck>;

/** Two tries of a resolver, and the time around them. */
const LOOKUP_TIMEOUT_MS = 5_000;
const RESOLVER = { timeout: 2_000, tries: 2 } as const;

export function createUrlCheck(options: {
  /** "host:port" that may be reached by http and on any address. */
  allowHosts: readonly string[];
  lookup?: Lookup;
}): CheckUrl {
  const lookup = options.lookup ?? createLookup();
  // The operator's own hosts may stand in a file that only the system's resolver reads.
  const lookupOwn = options.lookup ?? ((host: string) => lookupBySystem(host, { all: true }));
  const allowed = new Set(options.allowHosts.map((entry) => placeOf(new URL(`http://${entry}`))));

  return async (text) => {
    const url = URL.parse(text);
    if (url === null) return refused('This is not a URL. Send one such as https://example.com/webhooks.');
    const isExempt = allowed.has(placeOf(url)) && (url.protocol === 'https:' || url.protocol === 'http:');
    const fault = isExempt ? credentialsIn(url) : (credentialsIn(url) ?? faultOf(url));
    if (fault !== null) return refused(fault);
    const addresses = await addressesOf(url.hostname, isExempt ? lookupOwn : lookup);
    if (addresses.length === 0) {
      return { type: 'refused', reason: 'dns', detail: 'The host has no address. Check its spelling and its DNS.' };
    }
    // One private address among several is enough to refuse: any of them may be tried.
    if (!isExempt && !addresses.every(isPublic)) {
      const notPublic = 'The host has an address that is not public. Use a host that the internet can reach';
      return refused(orExempt(notPublic, url));
    }
    return { type: 'allowed', url, addresses };
  };
}

/**
 * Asks the name servers itself: the system's resolver works in one of four threads that everything here shares, and
 * names that a stranger chose could hold all of them.
 */
export function createLookup({ servers }: { servers?: readonly string[] } = {}): Lookup {
  const resolver = new Resolver(RESOLVER);
  if (servers !== undefined) resolver.setServers(servers);
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    return answers
      .flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      .map((address) => ({ address }));
  };
}

/** The addresses of the name; none when the resolver knows none, fails or hangs. */
async function addressesOf(hostname: string, lookup: Lookup): Promise<Address[]> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const found = isIP(host) === 0 ? await withinTime(lookup(host)) : [{ address: host }];
  return found.flatMap(({ address }) => {
    const family = isIP(address);
    return family === 4 || family === 6 ? [{ address, family }] : [];
  });
}

async function withinTime(answer: ReturnType<Lookup>): Promise<readonly { readonly address: string }[]> {
  const { promise: isLate, resolve } = Promise.withResolvers<[]>();
  const timer = setTimeout(() => resolve([]), LOOKUP_TIMEOUT_MS);
  return Promise.race([answer.catch(() => []), isLate]).finally(() => clearTimeout(timer));
}

function credentialsIn(url: URL): string | null {
  const has = url.username !== '' || url.password !== '';
  return has ? 'The URL holds credentials. Leave them out; the signature proves who calls.' : null;
}

function faultOf(url: URL): string | null {
  if (url.protocol === 'http:') return orExempt('The URL is not https. Send an https URL', url);
  if (url.protocol !== 'https:') return 'The URL is not https. Send an https URL.';
  // The parser leaves the standard port out.
  if (url.port === '') return null;
  return orExempt('The URL names a port of its own. Use https on its standard port, 443', url);
}

/** Who tries it out on their own machine has no other way. */
function orExempt(fault: string, url: URL): string {
  return `${fault}; or start remit with WEBHOOK_ALLOW_HOSTS=${placeOf(url)} if this host is your own.`;
}

function placeOf(url: URL): string {
  const standard = url.protocol === 'https:' ? '443' : '80';
  return `${url.hostname}:${url.port === '' ? standard : url.port}`;
}

function refused(detail: string): UrlCheck {
  return { type: 'refused', reason: 'url_not_allowed', detail };
}

/** Globally reachable unicast, by the IANA special-purpose registries. */
export function isPublic({ address, family }: Address): boolean {
  // A zone names an interface of this host.
  if (address.includes('%')) return false;
  if (family === 4) return !REFUSED_V4.check(address, 'ipv4');
  // Behind a translator (NAT64) every public IPv4 host has such an address; the embedded one decides.
  if (NAT64.check(address, 'ipv6')) return isPublic({ address: lastFourBytes(address), family: 4 });
  return GLOBAL_V6.check(address, 'ipv6') && !REFUSED_V6.check(address, 'ipv6');
}

const REFUSED_V4 = blockList('ipv4', [
  '0.0.0.0/8', // this network
  '10.0.0.0/8',
  '100.64.0.0/10', // shared: carriers' translators, and a cloud's metadata at 100.100.100.200
  '127.0.0.0/8',
  '168.63.129.16/32', // a cloud's host agent, although the address is public
  '169.254.0.0/16', // link-local: most clouds' metadata
  '172.16.0.0/12',
  '192.0.0.0/24', // protocol assignments, a cloud's metadata among them
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // automatic multicast tunnelling
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16',
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
]);
/** Everything else (loopback, mapped, private, link-local, multicast, discard) lies outside of it. */
const GLOBAL_V6 = blockList('ipv6', ['2000::/3']);
const REFUSED_V6 = blockList('ipv6', [
  '2001::/23', // protocol assignments: Teredo, benchmarks, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which embeds any IPv4 address
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
]);
const NAT64 = blockList('ipv6', ['64:ff9b::/96']);

function blockList(type: 'ipv4' | 'ipv6', subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network = '', bits] = subnet.split('/');
    list.addSubnet(network, Number(bits), type);
  }
  return list;
}

/** "64:ff9b::7f00:1" and "64:ff9b::127.0.0.1" are both "127.0.0.1": the URL parser writes them the same way. */
function lastFourBytes(address: string): string {
  const { hostname } = new URL(`http://[${address}]`);
  const [head = '', tail = ''] = hostname.slice(1, -1).split('::');
  const given = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array.from({ length: GROUPS_V6 - given.flat().length }, () => '0');
  const [high = '0', low = '0'] = [...(given[0] ?? []), ...zeros, ...(given[1] ?? [])].slice(-2);
  return [high, low].flatMap((group) => splitGroup(Number.parseInt(group, 16))).join('.');
}

const GROUPS_V6 = 8;

function splitGroup(group: number): number[] {
  return [group >> 8, group & 0xff];
}
