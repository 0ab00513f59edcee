import type { SealOptions } from '../codec/codec-options.ts';
import type { SealChoice } from './job.ts';

export function sealOptionsOf({ compression, publicKey }: SealChoice): SealOptions {
  return publicKey === undefined ? { compression } : { compression, publicKey };
}
