import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { OperatorError } from '../lib/errors.ts';

export const keyBitsDefault = 3072;
const keyBitsMin = 1024;
const keyBitsMax = 16384;
/** RSA-OAEP with SHA-1 adds 42 bytes to the 64 bytes of a session block. */
const usableBitsMin = (64 + 42) * 8;

/** A new RSA key pair as PEM: SubjectPublicKeyInfo, and PKCS#8 without a passphrase. Rejects with `key-bits-invalid`. */
export async function createKeyPair(bits: number): Promise<{ publicKey: string; privateKey: string }> {
  if (!Number.isInteger(bits) || bits < keyBitsMin || bits > keyBitsMax) {
    throw new OperatorError('key-bits-invalid', `cannot create an RSA key of ${bits} bits`, {
      hint: `Choose a whole number from ${keyBitsMin} to ${keyBitsMax}; ${keyBitsDefault} is a good one.`,
    });
  }
  return promisify(generateKeyPair)('rsa', {
    modulusLength: bits,
    publicExponent: 65537,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

/** The key in a public PEM text. Throws `key-invalid` if it cannot be used for encrypting. */
export function checkPublicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY'))
    throw keyInvalid('public', 'it is a private key', 'Put the private key under "private" and the public one under "public".');
  return usable('public', () => createPublicKey(pem));
}

/** The key in a private PEM text. Throws `key-invalid` if it cannot be used for decrypting. */
export function checkPrivateKey(pem: string): KeyObject {
  if (pem.includes('ENCRYPTED'))
    throw keyInvalid('private', 'it is protected by a passphrase', 'Remove the passphrase: openssl pkcs8 -in key.pem -topk8 -nocrypt');
  return usable('private', () => createPrivateKey(pem));
}

/** Throws `key-invalid` if the two are not halves of one pair: what is encrypted with one could never be read with the other. */
export function checkKeyPair(publicPem: string, privatePem: string): void {
  const fromPrivate = createPublicKey(checkPrivateKey(privatePem).export({ type: 'pkcs8', format: 'pem' }));
  if (!checkPublicKey(publicPem).equals(fromPrivate)) throw keyInvalid('public', 'it does not belong to the private key beside it');
}

function usable(half: 'public' | 'private', parse: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch (error) {
    throw keyInvalid(half, 'it is not a key in PEM format', undefined, error);
  }
  if (key.asymmetricKeyType !== 'rsa') throw keyInvalid(half, `it is a key for ${key.asymmetricKeyType ?? 'something else'}, not for RSA`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < usableBitsMin) throw keyInvalid(half, `its ${bits} bits are too few, ${usableBitsMin} are needed`);
  return key;
}

function keyInvalid(half: 'public' | 'private', why: string, hint?: string, cause?: unknown): OperatorError {
  return new OperatorError('key-invalid', `the ${half} encryption key cannot be used: ${why}`, {
    cause,
    hint: hint ?? 'pghoard_create_keys makes a pair of keys and puts it into the configuration file.',
  });
}
