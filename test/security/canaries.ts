// Secrets that can be recognised wherever they turn up: one for each place that holds something nobody else may read.

/** Letters and digits only, so that no encoding on the way changes them. */
const mark = (place: string) => `canary${place}7Qx9Lm2Zt4Wv8Kp3`;

/** Each provider's credentials, by the name of their variable. */
export const CREDENTIALS = {
  STRIPE_SECRET_KEY: `sk_test_${mark('StripeKey')}`,
  STRIPE_WEBHOOK_SECRET: `whsec_${mark('StripeHook')}`,
  STRIPE_CONNECT_WEBHOOK_SECRET: `whsec_${mark('StripeConnect')}`,
  PAYPAL_CLIENT_ID: mark('PaypalClient'),
  PAYPAL_CLIENT_SECRET: mark('PaypalSecret'),
  SQUARE_ACCESS_TOKEN: mark('SquareToken'),
  SQUARE_WEBHOOK_SIGNATURE_KEY: mark('SquareHook'),
  TIPALTI_CLIENT_ID: mark('TipaltiClient'),
  TIPALTI_CLIENT_SECRET: mark('TipaltiSecret'),
  TIPALTI_REFRESH_TOKEN: mark('TipaltiRefresh'),
} as const;

/** What callers send: of people, of means of payment, and of their own. */
export const SENT = {
  token: mark('Token'),
  email: `${mark('Email').toLowerCase()}@example.com`,
  ip: '203.0.113.77',
  returnUrl: `https://shop.example/${mark('ReturnUrl')}`,
  destination: mark('Destination'),
  account: mark('Account'),
  metadata: mark('Metadata'),
  reason: mark('Reason'),
  reference: mark('Reference'),
  signature: mark('Signature'),
  query: mark('Query'),
  wrongKey: mark('WrongKey'),
  cookie: mark('Cookie'),
} as const;

export type Canaries = Readonly<Record<string, string>>;

/** The names of the secrets that a text holds, as they are or as the encodings that are used here write them. */
export function canariesIn(text: string, canaries: Canaries): string[] {
  return Object.entries(canaries).flatMap(([name, secret]) =>
    encodingsOf(secret).some((encoded) => text.includes(encoded)) ? [name] : [],
  );
}

/** Of all these texts, one for each secret that any of them holds. */
export function examplesOf(texts: readonly string[], canaries: Canaries): Record<string, string> {
  return Object.fromEntries(texts.flatMap((text) => canariesIn(text, canaries).map((name) => [name, text])));
}

function encodingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    bytes.toString('hex'),
    encodeURIComponent(secret),
    base64Middle(bytes),
    JSON.stringify(secret).slice(1, -1),
  ];
}

/** Of whole groups of three bytes; inside of a longer text they may begin anywhere, which no test of ours needs. */
function base64Middle(bytes: Buffer): string {
  return bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
}
