import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Hashed in one go; a millisecond or two. Others get their turn in between. */
const stepBytes = 1024 * 1024;

export interface Digests {
  readonly md5: Buffer;
  /** In hexadecimal, where asked for. */
  readonly sha256: string | undefined;
}

/** MD5, which S3 compares what it gets with; and SHA-256, which goes into the signature where no TLS protects what is sent. */
export async function digestsOf(bytes: Buffer, needsSha256: boolean): Promise<Digests> {
  const md5 = createHash('md5');
  const sha256 = needsSha256 ? createHash('sha256') : undefined;
  for (let at = 0; at < bytes.length; at += stepBytes) {
    if (at > 0) await nextTurn();
    const step = bytes.subarray(at, at + stepBytes);
    md5.update(step);
    sha256?.update(step);
  }
  return { md5: md5.digest(), sha256: sha256?.digest('hex') };
}

/** What S3 makes of the MD5 sums of parts. */
export function etagOfParts(md5s: readonly Buffer[]): string {
  return `${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${md5s.length}`;
}
