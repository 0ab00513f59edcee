import { closeSync, openSync, readSync } from 'node:fs';
import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import { defineJob } from '../codec/job.ts';
import { LentBuffer } from '../codec/lent-buffer.ts';
import type { WalEnd } from '../postgres/backup-manifest.ts';
import { PgBasebackup, type PgBasebackupCommand } from './pg-basebackup.ts';
import { RawTarNotes } from './raw-tar.ts';
import { SealedFile } from './sealed-file.ts';

export interface RawResult extends SealResult {
  /** Contents of backup_label. */
  readonly label: string;
  /** Undefined where the archive has no manifest. */
  readonly walEnd: WalEnd | undefined;
}

export interface StreamInput {
  readonly command: PgBasebackupCommand;
  readonly target: string;
  readonly seal: SealOptions;
}

/** Reported for a line of pg_basebackup's that should be seen. */
export interface WarningReport {
  readonly warning: string;
}

/** pg_basebackup → its standard output, sealed, as a durable file in the spool. Plaintext never touches a disk. */
export const sealStream = defineJob(import.meta.url, 'sealStream', async (input: StreamInput, context): Promise<RawResult> => {
  const onWarning = (warning: string) => context.report({ warning } satisfies WarningReport);
  await using program = new PgBasebackup(input.command, context.signal, onWarning);
  using file = new SealedFile(input.target, input.seal, context);
  const notes = new RawTarNotes();
  for await (const bytes of program.stdout as AsyncIterable<Buffer>) {
    await notes.look(bytes);
    await file.write(bytes);
  }
  await program.succeeded();
  file.countFile();
  const { label, walEnd } = notes;
  return { ...(await file.finish()), label, walEnd };
});

export interface TarFileInput {
  readonly path: string;
  readonly target: string;
  readonly seal: SealOptions;
}

/** A finished tar file of pg_basebackup, sealed. */
export const sealTarFile = defineJob(import.meta.url, 'sealTarFile', async (input: TarFileInput, context): Promise<RawResult> => {
  using file = new SealedFile(input.target, input.seal, context);
  const notes = new RawTarNotes();
  using lent = new LentBuffer();
  const fd = openSync(input.path, 'r');
  try {
    for (let got = readSync(fd, lent.bytes); got > 0; got = readSync(fd, lent.bytes)) {
      await notes.look(lent.bytes.subarray(0, got));
      await file.write(lent.bytes.subarray(0, got));
    }
  } finally {
    closeSync(fd);
  }
  file.countFile();
  const { label, walEnd } = notes;
  return { ...(await file.finish()), label, walEnd };
});
