import { closeSync, fstatSync } from 'node:fs';
import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import { defineJob } from '../codec/job.ts';
import { LentBuffer, lentBytes } from '../codec/lent-buffer.ts';
import { fileHash } from './delta-file.ts';
import { notAFile, openSource } from './open-source.ts';
import { readPiece } from './read-delta-files.job.ts';
import { SealedFile } from './sealed-file.ts';

export interface DeltaFileInput {
  /** Absolute path to read from. */
  readonly source: string;
  readonly target: string;
  readonly seal: SealOptions;
}

/**
 * One file of a running cluster → sealed, durable file in the spool. It is hashed again on the way: the file may have changed since it was
 * hashed first, and what was sealed is what its name must say.
 */
export const sealDeltaFile = defineJob(
  import.meta.url,
  'sealDeltaFile',
  async ({ source, target, seal }: DeltaFileInput, context): Promise<SealResult | { readonly gone: string }> => {
    const opened = openSource(source);
    if ('gone' in opened) return opened;
    try {
      const stats = fstatSync(opened.fd);
      if (!stats.isFile()) return { gone: notAFile };
      // Its bytes counted as progress when they were hashed first.
      using file = new SealedFile(target, { ...seal, plainHash: fileHash }, { ...context, report: () => {} });
      using lent = new LentBuffer();
      for (let position = 0; ; ) {
        const got = readPiece(source, opened.fd, lent.bytes, Math.min(lentBytes, stats.size - position), position);
        if (got === 0) return await file.finish();
        await file.write(lent.bytes.subarray(0, got));
        position += got;
      }
    } finally {
      closeSync(opened.fd);
    }
  },
);
