import type { SealOptions, UnsealOptions } from './codec-options.ts';
import { objectCorrupt } from './object-corrupt.ts';
import { Sealer } from './seal.ts';
import { Unsealer } from './unseal.ts';

/** Seals something small that is in memory, such as a manifest. */
export async function sealBytes(bytes: Uint8Array, options: SealOptions): Promise<Buffer> {
  const parts: Buffer[] = [];
  using sealer = new Sealer(options, (part) => void parts.push(Buffer.from(part)));
  await sealer.update(bytes);
  await sealer.finish();
  return Buffer.concat(parts);
}

/** The plaintext of something small. Rejects as {@link Unsealer}, and with `object-corrupt` where it would be more than `plainBytesMax`. */
export async function unsealBytes(sealed: Uint8Array, options: UnsealOptions, plainBytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let plainBytes = 0;
  using unsealer = new Unsealer(options, (part) => {
    plainBytes += part.length;
    if (plainBytes > plainBytesMax) throw objectCorrupt(`it holds more than the ${plainBytesMax} bytes that it may have`);
    parts.push(Buffer.from(part));
  });
  await unsealer.update(sealed);
  await unsealer.finish();
  return Buffer.concat(parts);
}
