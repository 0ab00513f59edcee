import { randomBytes } from 'node:crypto';

/** Where chance comes from, so that tests can repeat it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `bytes` random bytes as lower-case hex, for temporary names. */
  hex(bytes: number): string;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
