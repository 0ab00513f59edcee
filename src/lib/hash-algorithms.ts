/** Digests by their name in configurations and metadata (Python's hashlib), with the name that node:crypto has for them. */
export const hashAlgorithms = {
  md5: 'md5',
  sha1: 'sha1',
  sha224: 'sha224',
  sha256: 'sha256',
  sha384: 'sha384',
  sha512: 'sha512',
  blake2b: 'blake2b512',
  blake2s: 'blake2s256',
  sha3_224: 'sha3-224',
  sha3_256: 'sha3-256',
  sha3_384: 'sha3-384',
  sha3_512: 'sha3-512',
} as const;
export type HashAlgorithm = keyof typeof hashAlgorithms;

/** What node:crypto calls the digest that some object's metadata names; `undefined` for one that we do not have. */
export function nodeHashName(algorithm: string): string | undefined {
  return Object.hasOwn(hashAlgorithms, algorithm) ? hashAlgorithms[algorithm as HashAlgorithm] : undefined;
}
