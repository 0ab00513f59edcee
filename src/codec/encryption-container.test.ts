import assert from 'node:assert/strict';
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { Decrypter, Encrypter } from './encryption-container.ts';

const { publicKey, privateKey } = newKeys(1024);
const other = newKeys(1024);
const headerBytes = 8 + 128;

async function encrypt(payload: Uint8Array, pieceBytes = payload.length || 1, key = publicKey): Promise<Buffer> {
  const parts: Buffer[] = [];
  const encrypter = new Encrypter(key, (part) => void parts.push(Buffer.from(part)));
  for (let at = 0; at < payload.length; at += pieceBytes) await encrypter.update(payload.subarray(at, at + pieceBytes));
  await encrypter.finish();
  return Buffer.concat(parts);
}

async function decrypt(container: Uint8Array, pieceBytes = container.length || 1, key = privateKey): Promise<Buffer> {
  const parts: Buffer[] = [];
  const decrypter = new Decrypter(key, (part) => void parts.push(Buffer.from(part)));
  for (let at = 0; at < container.length; at += pieceBytes) await decrypter.update(container.subarray(at, at + pieceBytes));
  decrypter.finish();
  return Buffer.concat(parts);
}

/** A container made by hand as docs/FORMAT.md says, whatever the session block. */
function containerByHand(payload: Buffer, sessionBlock: Buffer): Buffer {
  const wrapped = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, sessionBlock);
  const cipher = createCipheriv('aes-128-ctr', sessionBlock.subarray(0, 16), sessionBlock.subarray(16, 32));
  const encrypted = cipher.update(payload);
  const tag = createHmac('sha256', sessionBlock.subarray(32)).update(encrypted).digest();
  return Buffer.concat([Buffer.from('pghoa1'), Buffer.from([0, wrapped.length]), wrapped, encrypted, tag]);
}

test('a container has the documented bytes', async () => {
  const payload = randomBytes(1000);
  const container = await encrypt(payload, 300);

  assert.equal(container.length, headerBytes + payload.length + 32);
  assert.equal(container.toString('latin1', 0, 6), 'pghoa1');
  assert.equal(container.readUInt16BE(6), 128);
  const wrapped = container.subarray(8, headerBytes);
  const session = privateDecrypt(
    { key: createPrivateKey(privateKey), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    wrapped,
  );
  assert.equal(session.length, 64);
  const encrypted = container.subarray(headerBytes, -32);
  assert.deepEqual(container.subarray(-32), createHmac('sha256', session.subarray(32)).update(encrypted).digest());
  const decipher = createDecipheriv('aes-128-ctr', session.subarray(0, 16), session.subarray(16, 32));
  assert.deepEqual(decipher.update(encrypted), payload);
});

test('a container made by hand is read, also one of an empty payload with header and tag', async () => {
  const session = randomBytes(64);
  assert.deepEqual(await decrypt(containerByHand(Buffer.from('hello'), session)), Buffer.from('hello'));
  assert.deepEqual(await decrypt(containerByHand(Buffer.alloc(0), session)), Buffer.alloc(0));
});

test('the counter carries over from its last byte into the first', async () => {
  const session = Buffer.concat([randomBytes(16), Buffer.alloc(16, 0xff), randomBytes(32)]);
  const payload = randomBytes(100);
  assert.deepEqual(await decrypt(containerByHand(payload, session), 7), payload);
});

test('no object repeats the key of another', async () => {
  const [first, second] = await Promise.all([encrypt(Buffer.alloc(64)), encrypt(Buffer.alloc(64))]);
  assert.notDeepEqual(first.subarray(headerBytes), second.subarray(headerBytes));
});

test('an empty payload is no bytes at all, both ways', async () => {
  assert.deepEqual(await encrypt(Buffer.alloc(0)), Buffer.alloc(0));
  assert.deepEqual(await decrypt(Buffer.alloc(0)), Buffer.alloc(0));
});

test('payloads come back whatever the sizes of the pieces', async () => {
  for (const bytes of [1, 15, 31, 32, 33, 64, 100]) {
    const payload = randomBytes(bytes);
    const container = await encrypt(payload, 7);
    for (const pieceBytes of [1, 2, 5, 31, 32, 33, 40, 135, 136, 137, 1000]) {
      assert.deepEqual(await decrypt(container, pieceBytes), payload, `${bytes} bytes in pieces of ${pieceBytes}`);
    }
  }
});

test('no single flipped bit goes unnoticed', async () => {
  const container = await encrypt(Buffer.from('some payload'));
  for (let bit = 0; bit < container.length * 8; bit++) {
    const damaged = Buffer.from(container);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await assert.rejects(decrypt(damaged), isDamage, `bit ${bit}`);
  }
});

test('no truncation and no junk at the end goes unnoticed', async () => {
  const container = await encrypt(Buffer.from('some payload'));
  for (let bytes = 1; bytes < container.length; bytes++)
    await assert.rejects(decrypt(container.subarray(0, bytes)), isDamage, `${bytes} bytes`);
  for (const junk of [1, 31, 32, 33]) await assert.rejects(decrypt(Buffer.concat([container, Buffer.alloc(junk)])), isDamage);
});

test('the wrong private key is told from damage', async () => {
  const container = await encrypt(Buffer.from('some payload'));
  await assert.rejects(decrypt(container, 50, other.privateKey), (error) => isOperatorError(error, 'key-wrong'));
  const longer = newKeys(2048);
  await assert.rejects(decrypt(container, 50, longer.privateKey), (error) => isOperatorError(error, 'key-wrong'));
});

test('a session block of another size and impossible key sizes are damage', async () => {
  const longer = Buffer.concat([randomBytes(64), Buffer.from('more')]);
  await assert.rejects(decrypt(containerByHand(Buffer.from('x'), longer)), isCorrupt);
  for (const size of [0, 63, 2049, 65535]) {
    const header = Buffer.from('pghoa1\0\0');
    header.writeUInt16BE(size, 6);
    await assert.rejects(decrypt(Buffer.concat([header, randomBytes(200)])), isCorrupt);
  }
});

test('a sink that takes its time gets everything in order', async () => {
  const parts: Buffer[] = [];
  const slow = async (part: Uint8Array) => {
    await new Promise((resolve) => setImmediate(resolve));
    parts.push(Buffer.from(part));
  };
  const payload = randomBytes(500);
  const encrypter = new Encrypter(publicKey, slow);
  for (let at = 0; at < payload.length; at += 60) await encrypter.update(payload.subarray(at, at + 60));
  await encrypter.finish();
  const container = Buffer.concat(parts.splice(0));
  const decrypter = new Decrypter(privateKey, slow);
  for (let at = 0; at < container.length; at += 20) await decrypter.update(container.subarray(at, at + 20));
  decrypter.finish();
  assert.deepEqual(Buffer.concat(parts), payload);
});

function isDamage(error: unknown): boolean {
  return isOperatorError(error, 'object-corrupt', 'key-wrong');
}

function isCorrupt(error: unknown): boolean {
  return isOperatorError(error, 'object-corrupt');
}

function newKeys(bits: number): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}
