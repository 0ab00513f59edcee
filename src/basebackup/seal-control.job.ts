import { statSync } from 'node:fs';
import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import { defineJob } from '../codec/job.ts';
import type { TarMember } from '../tar/header.ts';
import { manifestMember } from './manifest.ts';
import { SealedFile } from './sealed-file.ts';
import { TarPacker } from './tar-packer.ts';

/** What every kind of archive needs beside the files of the cluster. */
export interface ControlMembers {
  /** As PostgreSQL gave it at the end of the backup. */
  readonly backupLabel: string;
  /** Bytes of `global/pg_control`. */
  readonly controlFile: Uint8Array;
  /** The ones that are kept empty. */
  readonly directories: readonly TarMember[];
  /** Owner and time of what has none of its own. */
  readonly owner: FileOwner;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface ControlInput extends ControlMembers {
  /** A file of our own in the spool; it may be large. */
  readonly manifest: string;
  readonly target: string;
  readonly seal: SealOptions;
}

/** The main object of a `pghoard-bb-v2` backup. */
export const sealControl = defineJob(import.meta.url, 'sealControl', async (input: ControlInput, context): Promise<SealResult> => {
  using file = new SealedFile(input.target, input.seal, context);
  using packer = new TarPacker(file);
  const manifest = { ...contentMember(manifestMember, input.owner), type: 'file' as const, source: input.manifest };
  await packer.add({ ...manifest, size: statSync(input.manifest).size });
  await addControlFile(packer, input);
  await addBackupLabel(packer, input);
  for (const directory of input.directories) await packer.addContent(directory);
  await packer.end();
  return await file.finish();
});

export async function addControlFile(packer: TarPacker, { controlFile, owner }: ControlMembers): Promise<void> {
  await packer.addContent(contentMember('pgdata/global/pg_control', owner), controlFile);
}

export async function addBackupLabel(packer: TarPacker, { backupLabel, owner }: ControlMembers): Promise<void> {
  await packer.addContent(contentMember('pgdata/backup_label', owner), Buffer.from(backupLabel));
}

export function contentMember(path: string, owner: FileOwner): TarMember {
  return { path, type: 'file', size: 0, mode: 0o600, ...owner };
}
