// The key with which the sandbox signs PayPal webhooks, and the certificate that receivers check them with. Node makes
// no certificates, so the few DER structures of a self-signed one are written here. Both are made when first needed and
// kept in the sandbox's file, so that an older webhook can still be checked after a restart.
import { createPrivateKey, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import type { World } from '../world.ts';

export type Certificate = { id: string; pem: string; key: KeyObject };

const NOTE = 'paypal-certificate';
const KEY_BITS = 2048; // what PayPal's own certificates have
const YEARS = 10; // longer than any sandbox is kept
const SHA256_WITH_RSA = '1.2.840.113549.1.1.11';
const COMMON_NAME = '2.5.4.3';

const made = new WeakMap<World, Certificate>();

export function certificate(world: World): Certificate {
  const known = made.get(world);
  if (known) return known;
  const kept = world.state.note(NOTE);
  const { keyPem, pem }: { keyPem: string; pem: string } = kept === undefined ? make(world) : JSON.parse(kept);
  const id = `CERT-${hash('sha256', pem, 'hex').slice(0, 24)}`;
  const found = { id, pem, key: createPrivateKey(keyPem) };
  made.set(world, found);
  return found;
}

function make(world: World): { keyPem: string; pem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: KEY_BITS });
  const name = sequence(tagged(0x31, sequence(objectId(COMMON_NAME), tagged(0x0c, Buffer.from('remit sandbox')))));
  const start = new Date(world.now());
  const algorithm = sequence(objectId(SHA256_WITH_RSA), tagged(0x05, Buffer.alloc(0)));
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(1),
    algorithm,
    name,
    sequence(utcTime(start, -1), utcTime(start, YEARS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const whole = sequence(body, algorithm, bitString(sign('sha256', body, privateKey)));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  const pem = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
  const keyPem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  world.commit({ at: world.now(), note: { name: NOTE, text: JSON.stringify({ keyPem, pem }) } });
  return { keyPem, pem };
}

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

/** Below 128 the length itself, else the number of its bytes and then these. */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits = length.toString(16);
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function integer(small: number): Buffer {
  return tagged(0x02, Buffer.from([small]));
}

function bitString(bits: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([0]), bits]));
}

function utcTime(start: Date, years: number): Buffer {
  const at = new Date(start);
  at.setUTCFullYear(at.getUTCFullYear() + years);
  const digits = at.toISOString().replaceAll(/[^0-9]/g, '');
  return tagged(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}

/** The first two numbers share a byte; each of the others takes seven bits a byte, all but the last marked. */
function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(number: number): number[] {
  const bytes = [number & 0x7f];
  for (let left = number >> 7; left > 0; left >>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}
