import { type HashAlgorithm, hashAlgorithms } from './options.ts';

/** What node:crypto calls the digest that some object's metadata names; `undefined` for one that we do not have. */
export function nodeHashName(algorithm: string): string | undefined {
  return Object.hasOwn(hashAlgorithms, algorithm) ? hashAlgorithms[algorithm as HashAlgorithm] : undefined;
}
