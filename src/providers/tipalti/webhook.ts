// Tipalti's notifications carry no signature: whoever gets one sends the bytes back, and Tipalti says whether they
// came from there. Without that word nothing is stored, and Tipalti has to send the notification again.

import { createHash } from 'node:crypto';
import { PaymentError } from '../../domain/errors.ts';
import type { ProviderEvent } from '../../domain/provider.ts';
import { createHttp } from '../http.ts';
import type { ProviderLog } from '../surprise.ts';
import { pkidOfRefCode } from './reference.ts';

const PROVIDER = 'tipalti';
/** Notifications are about 1 KiB. Anybody can send us something, and each costs Tipalti a request. */
const BODY_BYTES_MAX = 16 * 1024;
/** For the same reason no more than this many are asked about at once; the rest have to come again. */
const QUESTIONS_MAX = 16;
/** Providers that wait for the answer to a webhook hang up after 10 s or more. */
const TIMEOUT_MS = 5_000;
const RETRY_AFTER_MS = 10_000;

/** These speak of one payment; those about groups of payments, bills and fees name nothing that we keep. */
const PAYMENT_TYPES = new Set(['completed', 'payment_submitted', 'deferred', 'error', 'payment_cancelled']);
const PAYEE_TYPE = 'payee_details_changed';

interface Delivery {
  readonly raw: Buffer;
  readonly receivedAt: Date;
}

export function createNotifications({ url, log }: { readonly url: string; readonly log: ProviderLog }) {
  const http = createHttp({ provider: PROVIDER, baseUrl: url, log });
  let asking = 0;

  async function verify(text: string): Promise<void> {
    if (asking >= QUESTIONS_MAX) throw unavailable('too many notifications at once');
    asking += 1;
    try {
      const answer = await http.send({
        method: 'POST',
        path: '',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: text,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        isText: true,
      });
      const word = answer.status === 200 ? answer.text.trim() : '';
      if (word === 'INVALID') throw new PaymentError('invalid-signature');
      if (word !== 'VERIFIED') throw unavailable('Tipalti gave another answer than VERIFIED or INVALID');
    } catch (cause) {
      if (cause instanceof PaymentError && cause.surprise === undefined) throw cause;
      throw unavailable('Tipalti gave no answer', cause);
    } finally {
      asking -= 1;
    }
  }

  return async function parseNotification({ raw, receivedAt }: Delivery): Promise<ProviderEvent> {
    const text = raw.toString('utf8');
    const form = new URLSearchParams(text);
    const type = form.get('type') ?? '';
    // What cannot be a notification is not worth a question, and only the very same bytes can be asked about.
    const isWhole = raw.byteLength <= BODY_BYTES_MAX && Buffer.from(text, 'utf8').equals(raw);
    if (!isWhole || !/^[a-z_]{1,100}$/.test(type)) throw new PaymentError('invalid-signature');
    await verify(text);
    return { ...subjectOf(type, form), eventId: eventIdOf(form, raw), type, occurredAt: timeOf(form) ?? receivedAt };
  };
}

function subjectOf(type: string, form: URLSearchParams): Pick<ProviderEvent, 'subject' | 'externId' | 'pkid'> {
  if (type === PAYEE_TYPE) return { subject: 'payee', externId: fieldOf(form, 'payee_id'), pkid: null };
  const pkid = pkidOfRefCode(form.get('ref_code') ?? '');
  const externId = fieldOf(form, 'payment_id');
  const isPayment = pkid !== null || (PAYMENT_TYPES.has(type) && externId !== null);
  return isPayment ? { subject: 'payout', externId, pkid } : { subject: null, externId: null, pkid: null };
}

/** A notification that is sent again has the same bytes, or it would not be verified again. */
function eventIdOf(form: URLSearchParams, raw: Buffer): string {
  return fieldOf(form, 'key') ?? `sha256:${createHash('sha256').update(raw).digest('hex')}`;
}

function fieldOf(form: URLSearchParams, name: string): string | null {
  const value = form.get(name) ?? '';
  return /^[\x21-\x7e]{1,255}$/.test(value) ? value : null;
}

function timeOf(form: URLSearchParams): Date | null {
  const seconds = form.get('c_date') ?? '';
  return /^[0-9]{1,10}$/.test(seconds) ? new Date(Number(seconds) * 1000) : null;
}

function unavailable(why: string, cause?: unknown): PaymentError {
  return new PaymentError('unavailable', {
    detail: `The notification could not be verified (${why}). Send it again later.`,
    cause,
    retryAfterMs: RETRY_AFTER_MS,
  });
}
