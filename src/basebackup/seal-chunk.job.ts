import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import { defineJob } from '../codec/job.ts';
import { SealedFile } from './sealed-file.ts';
import { type PackOptions, type PackResult, TarPacker } from './tar-packer.ts';
import type { FoundEntry } from './walk.ts';

export interface ChunkInput {
  readonly members: readonly FoundEntry[];
  readonly target: string;
  readonly seal: SealOptions;
  readonly pack?: PackOptions;
}

export interface MadeChunk extends SealResult, PackResult {
  /** Of the sealed bytes, hex. */
  readonly sealedSha256: string;
}

/** Files of a running cluster → tar → sealed, durable file in the spool. */
export const sealChunk = defineJob(import.meta.url, 'sealChunk', async (input: ChunkInput, context): Promise<MadeChunk> => {
  using file = new SealedFile(input.target, input.seal, context, 'sha256');
  using packer = new TarPacker(file, input.pack);
  for (const member of input.members) await packer.add(member);
  const packed = await packer.end();
  const { sealedHash: sealedSha256 = '', ...sealed } = await file.finish();
  return { ...sealed, ...packed, sealedSha256 };
});
