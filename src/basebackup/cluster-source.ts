import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Applicant } from '../catalog/identity-keeper.ts';
import { type Clock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';
import { type ControlFile, parseControlFile } from '../postgres/control-file.ts';
import type { TarMember } from '../tar/header.ts';
import { controlFilePath } from './exclusions.ts';
import type { PageCheck } from './page-check.ts';
import type { FileOwner } from './seal-control.job.ts';
import type { Tablespace } from './walk.ts';

/** The cluster that is being read. */
export interface ClusterSource {
  readonly dataDirectory: string;
  readonly cluster: Applicant;
  readonly serverVersion: number;
  /** `15`, `9.6`. */
  readonly major: string;
  readonly tablespaces: readonly Tablespace[];
  /** Kept without their contents. */
  readonly directories: readonly TarMember[];
  readonly owner: FileOwner;
  readonly bytesTotal: number | undefined;
  /** Undefined where pages bear no checksums, or nobody wants them checked. */
  readonly pages?: PageCheck | undefined;
}

/**
 * The control file, to be read after everything else: on a standby it says how far recovery must come for the copy to be consistent.
 * The server may be writing it at the same moment; its checksum tells, and then it is read again.
 */
export async function readControl(
  dataDirectory: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly control: ControlFile }> {
  const path = join(dataDirectory, controlFilePath);
  const read = async () => {
    const bytes = await readFile(path);
    return { bytes, control: parseControlFile(bytes) };
  };
  try {
    return await retry(read, { attemptsMax: 10, delayMsFirst: 20, delayMsMax: 500 }, { clock, signal, isRetryable: () => true });
  } catch (error) {
    signal.throwIfAborted();
    throw new OperatorError('file-unreadable', `cannot read ${path}`, { cause: error });
  }
}
