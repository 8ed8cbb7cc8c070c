// The certificates that PayPal signs its webhooks with. Their address comes with the webhook, so only addresses of
// PayPal itself are asked, or of the configured stand-in while no real money moves.

import { type KeyObject, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { PaymentError } from '../../domain/errors.ts';
import { createHttp } from '../http.ts';
import type { ProviderLog } from '../surprise.ts';
import { PROVIDER, paypalFaultOf } from './problem.ts';

/** Providers that wait for the answer to a webhook hang up after 10 s or more. */
const FETCH_TIMEOUT_MS = 5_000;
/** PayPal changes its certificate once a year or so; more addresses than this are somebody's trial and error. */
const CERTIFICATES_KEPT_MAX = 16;
/** Anybody can send us addresses, and each costs PayPal a request; the rest has to come again. */
const READING_MAX = 4;
const CERTIFICATE_CHARACTERS_MAX = 64 * 1024;
/** The signing certificate, those that vouch for it, and some room. */
const CHAIN_MAX = 8;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PAYPAL_HOST = /^(?:[a-z0-9-]+\.)*paypal\.com$/;
const CERTIFICATES_PATH = '/v1/notifications/certs/';

export interface Certificates {
  /** The key at this address; throws invalid-signature when it is nobody we trust. */
  keyAt(url: string, at: Date): Promise<KeyObject>;
}

interface Signer {
  /** The signing certificate first. */
  readonly chain: readonly X509Certificate[];
  readonly isVouched: boolean;
}

/** `standInUrl` is null when there is none, or when real money moves. */
export function createCertificates({ standInUrl, log }: { standInUrl: string | null; log: ProviderLog }): Certificates {
  const known = new Map<string, Signer>();
  const reading = new Map<string, Promise<Signer>>();

  async function read(url: URL): Promise<Signer> {
    const http = createHttp({ provider: PROVIDER, baseUrl: url.origin, log, faultOf: paypalFaultOf });
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    const answer = await http.send({ method: 'GET', path: url.pathname, headers: {}, signal, isText: true });
    const chain = answer.status === 200 ? chainIn(answer.text) : [];
    const signer = { chain, isVouched: isPaypal(url) ? isPaypalChain(chain, rootCertificates) : chain.length > 0 };
    // What nobody vouches for is not worth a place.
    if (signer.isVouched) keep(url.href, signer);
    return signer;
  }

  function keep(href: string, signer: Signer): void {
    known.set(href, signer);
    const [oldest] = known.keys();
    if (known.size > CERTIFICATES_KEPT_MAX && oldest !== undefined) known.delete(oldest);
  }

  /** Deliveries that come at once share one request. */
  async function readOnce(url: URL): Promise<Signer> {
    const started = reading.get(url.href);
    if (started === undefined && reading.size >= READING_MAX) throw unreadable(new Error('too many at once'));
    const work = started ?? read(url).finally(() => reading.delete(url.href));
    reading.set(url.href, work);
    try {
      return await work;
    } catch (cause) {
      throw unreadable(cause);
    }
  }

  return {
    async keyAt(text, at) {
      const url = allowedUrl(text, standInUrl);
      if (url === null) throw new PaymentError('invalid-signature');
      const { chain, isVouched } = known.get(url.href) ?? (await readOnce(url));
      const [signing] = chain;
      if (signing !== undefined && isVouched && isInTime(chain, at)) return signing.publicKey;
      log.error({ provider: PROVIDER, reason: 'certificate' }, 'The certificate of a PayPal webhook is not trusted.');
      throw new PaymentError('invalid-signature');
    },
  };
}

/** Null for an address that must not be asked. */
export function allowedUrl(text: string, standInUrl: string | null): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return null;
  if (isPaypal(url)) return url.pathname.startsWith(CERTIFICATES_PATH) ? url : null;
  return standInUrl !== null && url.origin === new URL(standInUrl).origin ? url : null;
}

function isPaypal({ protocol, hostname, port }: URL): boolean {
  return protocol === 'https:' && port === '' && PAYPAL_HOST.test(hostname);
}

/**
 * PayPal's by name, and vouched for up to a root. A file that holds the signing certificate alone has been vouched for
 * by the connection it came through, which only PayPal can have answered.
 */
export function isPaypalChain(chain: readonly X509Certificate[], roots: readonly string[]): boolean {
  const [signing, ...others] = chain;
  if (signing === undefined || !isNamedPaypal(signing)) return false;
  const last = others.at(-1);
  if (last === undefined) return true;
  const isLinked = others.every((issuer, place) => {
    const issued = chain[place];
    return issued !== undefined && isIssuedBy(issued, issuer);
  });
  return isLinked && roots.some((pem) => isRoot(last, new X509Certificate(pem)));
}

function isInTime(chain: readonly X509Certificate[], at: Date): boolean {
  return chain.every((one) => one.validFromDate <= at && at <= one.validToDate);
}

function isNamedPaypal({ subject, subjectAltName }: X509Certificate): boolean {
  const names = `${subject ?? ''}\n${(subjectAltName ?? '').replaceAll(/, ?/g, '\n')}`;
  return names.split('\n').some((line) => {
    const name = /^(?:CN=|DNS:)(.+)$/.exec(line)?.[1] ?? '';
    return PAYPAL_HOST.test(name.toLowerCase());
  });
}

function isIssuedBy(one: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && one.checkIssued(issuer) && one.verify(issuer.publicKey);
}

/** Files end with a certificate that the root signed, or with the root itself. */
function isRoot(last: X509Certificate, root: X509Certificate): boolean {
  return last.fingerprint256 === root.fingerprint256 || isIssuedBy(last, root);
}

/** Empty when the text is anything else than certificates. */
export function chainIn(text: string): readonly X509Certificate[] {
  const found = text.length > CERTIFICATE_CHARACTERS_MAX ? [] : (text.match(CERTIFICATE) ?? []);
  if (found.length > CHAIN_MAX) return [];
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch {
    return [];
  }
}

/** PayPal sends the webhook again; until then nothing is known of it. */
function unreadable(cause: unknown): PaymentError {
  return new PaymentError('unavailable', {
    detail: 'The certificate of the webhook could not be read, so it was not checked. Send it again.',
    cause,
  });
}
