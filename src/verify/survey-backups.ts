import { formatOf } from '../catalog/backup-format.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { ObjectSum } from '../catalog/evidence/object-sum.ts';
import type { BasebackupEvidence } from '../catalog/evidence/verify-evidence.ts';
import { isOperatorError } from '../lib/errors.ts';

/** A base backup, and what is noted of it. */
export interface SurveyedBackup {
  readonly entry: BasebackupEntry;
  /** Of all its objects, but for those that delta backups share. */
  readonly objects: number;
  readonly bytes: number;
  readonly sum: string;
  /** Only where nothing of it has changed since. */
  readonly noted: BasebackupEvidence | undefined;
}

/** Of the main object, which stands for the metadata too: they say how it is to be read. */
export function sumOfMain(entry: BasebackupEntry): ObjectSum {
  const sum = new ObjectSum();
  sum.addObject({ name: entry.key, size: entry.size, lastModified: entry.lastModified });
  sum.add(JSON.stringify(Object.entries(entry.metadata).toSorted(([a], [b]) => (a < b ? -1 : 1))));
  return sum;
}

/** Lists the parts of all base backups. */
export async function surveyBackups(
  { store, keys }: Catalog,
  { entries }: Pick<BasebackupListing, 'entries'>,
  noted: ReadonlyMap<string, BasebackupEvidence>,
  signal: AbortSignal,
): Promise<readonly SurveyedBackup[]> {
  const found = new Map(entries.map((entry) => [entry.name, { entry, objects: 1, bytes: entry.size, sum: sumOfMain(entry) }]));
  for (const [prefix, isDelta] of [
    [keys.chunksPrefix, false],
    [keys.deltaChunksPrefix, true],
  ] as const) {
    for await (const { key, size, lastModified } of store.list(prefix, { signal })) {
      const backup = found.get(key.slice(prefix.length).split('/', 1)[0] ?? '');
      if (backup === undefined || isDeltaBackup(backup.entry) !== isDelta) continue;
      backup.objects++;
      backup.bytes += size;
      backup.sum.addObject({ name: key, size, lastModified });
    }
  }
  return [...found.values()].map(({ sum, ...backup }) => {
    const known = noted.get(backup.entry.name);
    return { ...backup, sum: String(sum), noted: known?.sum === String(sum) ? known : undefined };
  });
}

function isDeltaBackup(entry: BasebackupEntry): boolean {
  try {
    return formatOf(entry) === 'pghoard-delta';
  } catch (error) {
    if (isOperatorError(error)) return false;
    throw error;
  }
}
