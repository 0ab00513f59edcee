import type { BasebackupEntry } from '../basebackup-entry.ts';
import type { NeedyBackup } from '../needy-backups.ts';

/** A complete base backup that needs WAL of the archive, with all that is stored of it. */
export interface WalBackup extends NeedyBackup {
  readonly entry: BasebackupEntry;
}
