// The certificates that PayPal signs its webhooks with. Their address comes with the webhook, so only addresses of
// PayPal itself are asked, or of the configured stand-in while no real money moves.

import { type KeyObject, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { PaymentError } from '../domain/errors.ts';
import { createHttp } from './http.ts';
import { PROVIDER } from './paypal-problem.ts';
import type { ProviderLog } from './surprise.ts';

/** Providers that wait for the answer to a webhook hang up after 10 s or more. */
const FETCH_TIMEOUT_MS = 5_000;
/** PayPal changes its certificate once a year or so; more addresses than this are somebody's trial and error. */
const CERTIFICATES_KEPT_MAX = 16;
const CERTIFICATE_CHARACTERS_MAX = 64 * 1024;
/** The signing certificate, those that vouch for it, and some room. */
const CHAIN_MAX = 8;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PAYPAL_HOST = /^(?:[a-z0-9-]+\.)*paypal\.com$/;
const CERTIFICATES_PATH = '/v1/notifications/certs/';

export interface CertificateOptions {
  /** Of the stand-in; null when there is none, or when real money moves. */
  readonly standInUrl: string | null;
  readonly log: ProviderLog;
  /** In PEM; those that the runtime trusts unless told. */
  readonly roots?: readonly string[];
}

export interface Certificates {
  /** The key at this address; throws invalid-signature when it is nobody we trust. */
  keyAt(url: string, at: Date): Promise<KeyObject>;
}

export function createCertificates({ standInUrl, log, roots = rootCertificates }: CertificateOptions): Certificates {
  const kept = new Map<string, Promise<readonly X509Certificate[]>>();

  async function read({ origin, pathname }: URL): Promise<readonly X509Certificate[]> {
    const http = createHttp({ provider: PROVIDER, baseUrl: origin, log });
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    const answer = await http.send({ method: 'GET', path: pathname, headers: {}, signal, isText: true });
    return answer.status === 200 ? chainIn(answer.text) : [];
  }

  /** Only what was read stays; an address that gave nothing is asked again. */
  async function chainAt(url: URL): Promise<readonly X509Certificate[]> {
    const known = kept.get(url.href);
    if (known !== undefined) return known;
    const reading = read(url);
    kept.set(url.href, reading);
    const [oldest] = kept.keys();
    if (kept.size > CERTIFICATES_KEPT_MAX && oldest !== undefined) kept.delete(oldest);
    try {
      const chain = await reading;
      if (chain.length === 0) kept.delete(url.href);
      return chain;
    } catch (cause) {
      kept.delete(url.href);
      throw unreadable(cause);
    }
  }

  return {
    async keyAt(text, at) {
      const url = allowedUrl(text, standInUrl);
      if (url === null) throw new PaymentError('invalid-signature');
      const chain = await chainAt(url);
      const isTrusted = isPaypal(url) ? isPaypalChain(chain, { at, roots }) : isInTime(chain, at);
      const [signing] = chain;
      if (signing !== undefined && isTrusted) return signing.publicKey;
      log.error(
        { provider: PROVIDER, reason: 'certificate' },
        'The certificate of a webhook of PayPal is not trusted.',
      );
      throw new PaymentError('invalid-signature');
    },
  };
}

/** Null for an address that must not be asked. */
function allowedUrl(text: string, standInUrl: string | null): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return null;
  if (isPaypal(url)) return url.pathname.startsWith(CERTIFICATES_PATH) ? url : null;
  return standInUrl !== null && url.origin === new URL(standInUrl).origin ? url : null;
}

function isPaypal({ protocol, hostname, port }: URL): boolean {
  return protocol === 'https:' && port === '' && PAYPAL_HOST.test(hostname);
}

interface Trust {
  readonly at: Date;
  readonly roots: readonly string[];
}

/**
 * In time, PayPal's by name, and vouched for up to a root. A file that holds the signing certificate alone has been
 * vouched for by the connection it came through, which only PayPal can have answered.
 */
function isPaypalChain(chain: readonly X509Certificate[], { at, roots }: Trust): boolean {
  const [signing] = chain;
  if (signing === undefined || !isInTime(chain, at) || !isNamedPaypal(signing)) return false;
  if (chain.length === 1) return true;
  const isLinked = chain.every((one, at) => {
    const next = chain[at + 1];
    return next === undefined || isIssuedBy(one, next);
  });
  const last = chain.at(-1);
  return isLinked && last !== undefined && roots.some((pem) => isRoot(last, new X509Certificate(pem)));
}

function isInTime(chain: readonly X509Certificate[], at: Date): boolean {
  return chain.length > 0 && chain.every((one) => one.validFromDate <= at && at <= one.validToDate);
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
function chainIn(text: string): readonly X509Certificate[] {
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
