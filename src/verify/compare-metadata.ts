import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { CheckedMain } from './check-main.job.ts';
import type { Finding } from './finding.ts';

/** What is known of the site's cluster. */
export interface ExpectedCluster {
  readonly systemIdentifier: bigint;
}

/** Whether what a base backup says of itself in several places is the same. No clock, no store. */
export function compareMetadata(entry: BasebackupEntry, main: CheckedMain, cluster: ExpectedCluster | undefined): readonly Finding[] {
  const { control, label, manifest } = main;
  const findings: Finding[] = [];
  const tell = (severity: Finding['severity'], code: string, what: string) =>
    void findings.push({ severity, code, object: entry.key, what });
  if (control === undefined) tell('damaged', 'basebackup-incomplete', 'it holds no global/pg_control: no server starts with it');
  if (label === undefined) tell('damaged', 'basebackup-incomplete', 'it holds no backup_label: recovery would begin at the wrong place');
  if (control && cluster && control.systemIdentifier !== cluster.systemIdentifier) {
    tell('damaged', 'cluster-mismatch', `it is of the cluster ${control.systemIdentifier}, the site of ${cluster.systemIdentifier}`);
  }
  // Old versions tell a segment before it, which does no harm.
  if (label && label.startWalSegment < entry.startWalSegment) {
    tell(
      'damaged',
      'metadata-differs',
      `its metadata say that it needs WAL from ${entry.startWalSegment} on, its backup_label says ${label.startWalSegment}`,
    );
  }
  if (manifest) {
    const plain = sumOf(manifest.chunks.map(({ input_size }) => input_size));
    const isDelta = manifest.manifest !== undefined;
    if (!isDelta && plain !== undefined && entry.plainSize !== undefined && plain !== entry.plainSize) {
      tell(
        'warning',
        'metadata-differs',
        `its metadata say that its chunks have ${entry.plainSize} plain bytes, its manifest says ${plain}`,
      );
    }
  }
  return findings;
}

function sumOf(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.reduce<number | undefined>((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0);
}
