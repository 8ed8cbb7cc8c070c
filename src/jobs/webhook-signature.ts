// Standard Webhooks: the secrets, and the headers by which an endpoint knows that a message is ours and is one it
// has not seen. https://www.standardwebhooks.com

import { createHmac, randomBytes } from 'node:crypto';

/** The standard asks for 24 to 64. */
const SECRET_BYTES = 32;
const SECRET_PREFIX = 'whsec_';

export function newSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** As users are shown it, once. */
export function showSecret(secret: Buffer): string {
  return SECRET_PREFIX + secret.toString('base64');
}

/** One signature for each live secret: during a rotation an endpoint may know either. */
export function signedHeaders(message: {
  id: string;
  at: Date;
  body: string;
  secrets: readonly Buffer[];
}): Record<string, string> {
  const { id, at, body, secrets } = message;
  const timestamp = Math.floor(at.getTime() / 1_000);
  const signatures = secrets.map((secret) => {
    const digest = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
    return `v1,${digest}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
