/** What a base backup over the replication protocol is asked for; see BASE_BACKUP in "Streaming Replication Protocol". */
export interface BaseBackupRequest {
  /** Stands in the `backup_label`. */
  readonly label: string;
  /** At most so much is sent; PostgreSQL counts in KiB and takes 32 KiB to 1 GiB. */
  readonly bytesPerSecondMax?: number | undefined;
  /** Have a file `tablespace_map` instead of the links in `pg_tblspc`: these cannot hold a location of more than {@link linkBytesMax} bytes. */
  readonly tablespaceMap?: boolean | undefined;
}

/** Of the target of a link in an archive that PostgreSQL writes. */
export const linkBytesMax = 99;

/** The options are in parentheses since PostgreSQL 15; before that they are bare words in a fixed order. */
export const parenthesisedSince = 150_000;

/**
 * A fast checkpoint, no WAL, and no waiting for its archive: what archives it may be this very program. The sizes of the archives are announced.
 * Page checksums are verified where the cluster has them.
 */
export function baseBackupCommand(serverVersion: number, { label, bytesPerSecondMax, tablespaceMap }: BaseBackupRequest): string {
  const rate = bytesPerSecondMax === undefined ? undefined : `MAX_RATE ${Math.floor(bytesPerSecondMax / 1024)}`;
  const map = tablespaceMap ? 'TABLESPACE_MAP' : undefined;
  const quoted = `'${label.replaceAll("'", "''")}'`;
  if (serverVersion < parenthesisedSince) {
    const words = [`LABEL ${quoted}`, 'PROGRESS', 'FAST', 'NOWAIT', rate, map, `MANIFEST 'yes'`, `MANIFEST_CHECKSUMS 'CRC32C'`];
    return `BASE_BACKUP ${words.filter((word) => word !== undefined).join(' ')}`;
  }
  const options = [
    `LABEL ${quoted}`,
    'PROGRESS',
    `CHECKPOINT 'fast'`,
    'WAIT false',
    rate,
    map,
    `MANIFEST 'yes'`,
    `MANIFEST_CHECKSUMS 'CRC32C'`,
  ];
  return `BASE_BACKUP (${options.filter((option) => option !== undefined).join(', ')})`;
}
