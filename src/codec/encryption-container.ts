import {
  type Cipheriv,
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  type Decipheriv,
  type Hmac,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { ByteSink } from './codec-options.ts';
import { checkPrivateKey, checkPublicKey } from './keys.ts';
import { LentBuffer, lentBytes } from './lent-buffer.ts';
import { objectCorrupt } from './object-corrupt.ts';
import { free, type Stage } from './stage.ts';
import { timed } from './step-times.ts';

/*
 * The encryption container (docs/FORMAT.md), all integers big endian:
 *
 *   "pghoa1" | K: u16 | K bytes: session block, RSA-OAEP (SHA-1) | payload, AES-128-CTR | 32 bytes: HMAC-SHA256 of the encrypted payload
 *
 * The session block is 64 random bytes per object: AES key (16), first counter block (16), HMAC key (32).
 * An empty payload is stored as no bytes at all.
 */
const magic = Buffer.from('pghoa1', 'latin1');
const preambleBytes = magic.length + 2;
const sessionBytes = 64;
const tagBytes = 32;
/** RSA with 16384 bits. */
const wrappedBytesMax = 2048;
/** All of a container but what is encrypted with its session block, whatever the key. */
export const containerHeaderBytesMax = preambleBytes + wrappedBytesMax;
/** Encrypted or decrypted at once. */
const pieceBytes = 64 * 1024;
const padding = constants.RSA_PKCS1_OAEP_PADDING;

/** Payload in, container out. */
export class Encrypter implements Stage {
  readonly #publicKey: KeyObject;
  readonly #sink: ByteSink;
  readonly #lent = new LentBuffer();
  #session: { readonly cipher: Cipheriv; readonly hmac: Hmac } | undefined;

  constructor(publicKey: string, sink: ByteSink) {
    this.#publicKey = checkPublicKey(publicKey);
    this.#sink = sink;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    if (bytes.length === 0) return undefined;
    if (this.#session) return this.#encrypt(this.#session, bytes);
    const { header, ...session } = openSession(this.#publicKey);
    this.#session = session;
    const pending = this.#sink(header);
    return pending ? pending.then(() => this.#encrypt(session, bytes)) : this.#encrypt(session, bytes);
  }

  finish(): void | Promise<void> {
    return this.#session && this.#sink(this.#session.hmac.digest());
  }

  dispose(): void {
    this.#lent[Symbol.dispose]();
  }

  #encrypt(session: { readonly cipher: Cipheriv; readonly hmac: Hmac }, bytes: Uint8Array): void | Promise<void> {
    const encrypted = this.#lent.bytes.subarray(0, Math.min(bytes.length, lentBytes));
    timed('encrypt', () => applyInPieces(session.cipher, bytes, encrypted));
    timed('hash', () => session.hmac.update(encrypted));
    const rest = bytes.subarray(encrypted.length);
    const pending = this.#sink(encrypted);
    if (rest.length === 0) return pending;
    return pending ? pending.then(() => this.#encrypt(session, rest)) : this.#encrypt(session, rest);
  }
}

/** Whether a container that begins like this can be decrypted with the key. Throws `key-invalid`. */
export function opensContainer(privateKey: string, beginning: Buffer): boolean {
  const key = checkPrivateKey(privateKey);
  if (beginning.length < preambleBytes || !beginning.subarray(0, magic.length).equals(magic)) return false;
  const wrapped = beginning.subarray(preambleBytes, preambleBytes + beginning.readUInt16BE(magic.length));
  try {
    return unwrap(key, wrapped).length === sessionBytes;
  } catch (error) {
    if (isOperatorError(error, 'key-wrong')) return false;
    throw error;
  }
}

/** Container in, payload out. The last 32 bytes are held back; `finish` compares them before it resolves. */
export class Decrypter implements Stage {
  readonly #privateKey: KeyObject;
  readonly #sink: ByteSink;
  readonly #lent = new LentBuffer();
  /** Preamble and wrapped session block as far as they have come; grows to its known size. */
  #header: Buffer = Buffer.alloc(preambleBytes);
  #headerBytes = 0;
  #session: { readonly decipher: Decipheriv; readonly hmac: Hmac } | undefined;
  /** The last bytes so far, which may be the tag. */
  readonly #tail = Buffer.alloc(tagBytes);
  #tailBytes = 0;

  constructor(privateKey: string, sink: ByteSink) {
    this.#privateKey = checkPrivateKey(privateKey);
    this.#sink = sink;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    let at = 0;
    while (!this.#session && at < bytes.length) at += this.#takeHeader(bytes.subarray(at));
    return this.#session && this.#takePayload(bytes.subarray(at));
  }

  finish(): void {
    if (this.#headerBytes === 0) return;
    if (!this.#session) throw objectCorrupt('it ends within the header of its encryption');
    if (this.#tailBytes < tagBytes) throw objectCorrupt('it ends before the tag of its encryption');
    if (!timingSafeEqual(this.#session.hmac.digest(), this.#tail)) throw objectCorrupt('its encrypted content does not match its tag');
  }

  dispose(): void {
    this.#lent[Symbol.dispose]();
  }

  #takeHeader(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.#header.length - this.#headerBytes);
    this.#header.set(bytes.subarray(0, taken), this.#headerBytes);
    this.#headerBytes += taken;
    checkMagic(this.#header.subarray(0, this.#headerBytes));
    if (this.#headerBytes < this.#header.length) return taken;
    if (this.#headerBytes === preambleBytes) this.#growHeader();
    else this.#session = reopenSession(this.#privateKey, this.#header.subarray(preambleBytes));
    return taken;
  }

  #growHeader(): void {
    const wrappedBytes = this.#header.readUInt16BE(magic.length);
    if (wrappedBytes < sessionBytes || wrappedBytes > wrappedBytesMax) {
      throw objectCorrupt(`the header of its encryption gives an impossible key size of ${wrappedBytes} bytes`);
    }
    this.#header = Buffer.concat([this.#header], preambleBytes + wrappedBytes);
  }

  #takePayload(bytes: Uint8Array): void | Promise<void> {
    const released = Math.max(0, this.#tailBytes + bytes.length - tagBytes);
    const fromTail = Math.min(this.#tailBytes, released);
    const fromBytes = released - fromTail;
    const before = fromTail === 0 ? undefined : this.#decrypt(this.#tail.subarray(0, fromTail));
    this.#tail.copyWithin(0, fromTail, this.#tailBytes);
    this.#tail.set(bytes.subarray(fromBytes), this.#tailBytes - fromTail);
    this.#tailBytes += bytes.length - released;
    const decryptRest = () => (fromBytes === 0 ? undefined : this.#decrypt(bytes.subarray(0, fromBytes)));
    return before ? before.then(decryptRest) : decryptRest();
  }

  #decrypt(bytes: Uint8Array): void | Promise<void> {
    if (!this.#session) throw new Error('decrypting before the session block was read');
    const { hmac, decipher } = this.#session;
    const encrypted = bytes.subarray(0, lentBytes);
    const decrypted = this.#lent.bytes.subarray(0, encrypted.length);
    timed('hash', () => hmac.update(encrypted));
    timed('decrypt', () => applyInPieces(decipher, encrypted, decrypted));
    const rest = bytes.subarray(encrypted.length);
    const pending = this.#sink(decrypted);
    if (rest.length === 0) return pending;
    return pending ? pending.then(() => this.#decrypt(rest)) : this.#decrypt(rest);
  }
}

/**
 * As much as `into` has room for, in small pieces: node:crypto makes a new buffer each time, and the kernel would have to find the pages of a large one; `into` is
 * used again.
 */
function applyInPieces(cipher: Cipheriv | Decipheriv, bytes: Uint8Array, into: Uint8Array): void {
  for (let at = 0; at < into.length; at += pieceBytes) {
    const piece = cipher.update(bytes.subarray(at, Math.min(at + pieceBytes, into.length)));
    into.set(piece, at);
    free(piece);
  }
}

function openSession(key: KeyObject): { header: Buffer; cipher: Cipheriv; hmac: Hmac } {
  const block = randomBytes(sessionBytes);
  const wrapped = publicEncrypt({ key, padding, oaepHash: 'sha1' }, block);
  const header = Buffer.concat([magic, Buffer.alloc(2), wrapped]);
  header.writeUInt16BE(wrapped.length, magic.length);
  const { aesKey, counter, hmacKey } = split(block);
  return { header, cipher: createCipheriv('aes-128-ctr', aesKey, counter), hmac: createHmac('sha256', hmacKey) };
}

function reopenSession(key: KeyObject, wrapped: Buffer): { decipher: Decipheriv; hmac: Hmac } {
  const block = unwrap(key, wrapped);
  if (block.length !== sessionBytes)
    throw objectCorrupt(`the session block of its encryption has ${block.length} bytes instead of ${sessionBytes}`);
  const { aesKey, counter, hmacKey } = split(block);
  return { decipher: createDecipheriv('aes-128-ctr', aesKey, counter), hmac: createHmac('sha256', hmacKey) };
}

function unwrap(key: KeyObject, wrapped: Buffer): Buffer {
  try {
    return privateDecrypt({ key, padding, oaepHash: 'sha1' }, wrapped);
  } catch (error) {
    throw new OperatorError('key-wrong', 'the object cannot be decrypted with this private key', {
      cause: error,
      hint: 'Its metadata key "encryption-key-id" names the key it was encrypted with. If that is this one, the object is damaged.',
    });
  }
}

function split(block: Buffer): { aesKey: Buffer; counter: Buffer; hmacKey: Buffer } {
  return { aesKey: block.subarray(0, 16), counter: block.subarray(16, 32), hmacKey: block.subarray(32) };
}

function checkMagic(header: Buffer): void {
  const known = Math.min(header.length, magic.length);
  if (!header.subarray(0, known).equals(magic.subarray(0, known))) throw objectCorrupt('it does not begin as an encrypted object does');
}
