import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { checkKeyPair, checkPrivateKey, checkPublicKey, createKeyPair } from './keys.ts';

const { publicKey, privateKey } = await createKeyPair(1024);

test('a new pair is PEM of the documented kinds, of the wanted length, with the exponent 65537', () => {
  assert.match(publicKey, /^-----BEGIN PUBLIC KEY-----\n/);
  assert.match(privateKey, /^-----BEGIN PRIVATE KEY-----\n/);
  assert.deepEqual(checkPublicKey(publicKey).asymmetricKeyDetails, { modulusLength: 1024, publicExponent: 65537n });
  checkKeyPair(publicKey, privateKey);
});

test('lengths that make no sense are refused', async () => {
  for (const bits of [0, 512, 1023, 20_000, 3072.5, Number.NaN]) await assert.rejects(createKeyPair(bits), { code: 'key-bits-invalid' });
});

test('keys that cannot be used are refused, and the message says why without showing the key', () => {
  const ec = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const short = generateKeyPairSync('rsa', {
    modulusLength: 768,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const locked = generateKeyPairSync('rsa', {
    modulusLength: 1024,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  const cases: [string, () => unknown, RegExp][] = [
    ['no PEM', () => checkPublicKey('secret text'), /not a key in PEM format/],
    ['empty', () => checkPrivateKey(''), /not a key in PEM format/],
    ['private for public', () => checkPublicKey(privateKey), /is a private key/],
    ['public for private', () => checkPrivateKey(publicKey), /not a key in PEM format/],
    ['elliptic public', () => checkPublicKey(ec.publicKey), /not for RSA/],
    ['elliptic private', () => checkPrivateKey(ec.privateKey), /not for RSA/],
    ['too short', () => checkPublicKey(short.publicKey), /768 bits are too few/],
    ['passphrase', () => checkPrivateKey(locked.privateKey), /passphrase/],
    ['cut', () => checkPrivateKey(privateKey.slice(0, 300)), /not a key in PEM format/],
  ];
  for (const [name, check, why] of cases) {
    assert.throws(
      check,
      (error) => isOperatorError(error, 'key-invalid') && why.test(error.message) && !/secret text|BEGIN/.test(error.message),
      name,
    );
  }
});

test('two keys that do not belong together are refused', async () => {
  const other = await createKeyPair(1024);
  assert.throws(() => checkKeyPair(other.publicKey, privateKey), /does not belong to the private key/);
});
