import type { SiteKeys } from '../catalog/keys.ts';
import type { SiteIdentity } from '../catalog/site-identity.ts';
import { formatWalName } from '../postgres/wal-name.ts';
import { checkWal } from './check-wal.job.ts';
import type { CheckedFile, WalEdges } from './checked-file.ts';
import type { Finding } from './finding.ts';
import type { FolderName } from './folder-name.ts';
import { judgeKeys } from './judge-keys.ts';
import { runCheck } from './run-check.ts';
import { segmentOf } from './segment-of.ts';
import type { StoredFile } from './survey-folder.ts';
import type { WorkDeps } from './verify-deps.ts';

export interface WalWorkOptions {
  /** Of the cluster that all of it must be of. */
  readonly systemIdentifier: bigint | undefined;
  readonly identity: SiteIdentity | undefined;
  readonly segmentBytes: number | undefined;
  /** Names of segments in which a timeline was left. */
  readonly left: ReadonlySet<string>;
}

/** Where files of each kind lie. */
export function keyIn(folder: FolderName, name: string, keys: SiteKeys): string {
  switch (folder) {
    case 'xlog':
      return keys.wal(name);
    case 'timeline':
      return keys.history(name);
    case 'xlog_partial':
      return keys.walPartialPrefix + name;
    case 'basebackup_delta':
      return keys.deltaFile(name);
  }
}

/** Reads WAL of one folder. */
export function checkWalFiles(
  folder: 'xlog' | 'timeline' | 'xlog_partial',
  { systemIdentifier, identity, left }: WalWorkOptions,
  deps: WorkDeps,
): (files: readonly StoredFile[]) => Promise<readonly CheckedFile[]> {
  const { catalog, storage, privateKeys } = deps;
  return async (stored) => {
    const files = stored.map(({ name, size }) => {
      return { name, key: keyIn(folder, name, catalog.keys), size, mayEnd: folder !== 'xlog' || left.has(name) };
    });
    const checked = await judgeKeys(await runCheck(checkWal, { files, storage, privateKeys, systemIdentifier }, deps), deps);
    return checked.map((each, index) => ({ ...each, ...ofPredecessor(each, stored[index] as StoredFile, identity) }));
  };
}

/** What was stored before the site was given to its cluster may be of another one. */
function ofPredecessor({ finding }: CheckedFile, { lastModified }: StoredFile, identity: SiteIdentity | undefined): { finding?: Finding } {
  const isOld = finding?.code === 'cluster-mismatch' && identity !== undefined && lastModified < identity.since;
  return isOld ? { finding: { ...finding, severity: 'warning' } } : {};
}

/** Whether each segment goes on where the one before it ends, in whichever order they are read, and which of them may be in one run. */
export class WalContinuity {
  readonly #keys: SiteKeys;
  readonly #segmentBytes: number | undefined;
  /** Where one stretch that is read ends and another begins. */
  readonly #boundaries: ReadonlySet<string>;
  readonly #edges = new Map<string, WalEdges>();
  #last: { readonly name: string; readonly edges: WalEdges } | undefined;

  /** `boundaries`: names of the first and the last segment of each stretch that is read at a time. */
  constructor(keys: SiteKeys, segmentBytes: number | undefined, boundaries: Iterable<string> = []) {
    this.#keys = keys;
    this.#segmentBytes = segmentBytes;
    this.#boundaries = new Set(boundaries);
  }

  readonly follows = (name: string, before: string): boolean => this.#neighbour(before, 1n) === name;

  readonly onChecked = ({ name, edges }: CheckedFile): Finding | undefined => {
    const last = this.#last;
    this.#last = edges && { name, edges };
    if (edges === undefined) return undefined;
    if (this.#boundaries.has(name)) this.#edges.set(name, edges);
    const before = last !== undefined && this.follows(name, last.name) ? last : this.#known(this.#neighbour(name, -1n));
    const after = this.#known(this.#neighbour(name, 1n));
    return (before && this.#compare(before, { name, edges })) ?? (after && this.#compare({ name, edges }, after));
  };

  #compare(
    before: { readonly name: string; readonly edges: WalEdges },
    { name, edges }: { readonly name: string; readonly edges: WalEdges },
  ) {
    const { ends } = before.edges;
    if (ends === undefined || edges.isOverwritten || edges.begins === ends) return undefined;
    const what = `it does not go on where ${before.name} ends: that has a record of which ${ends} bytes are to follow, and ${edges.begins} do`;
    return { severity: 'warning', code: 'wal-discontinuous', object: this.#keys.wal(name), what } as const;
  }

  #known(name: string | undefined) {
    const edges = name === undefined ? undefined : this.#edges.get(name);
    return name === undefined || edges === undefined ? undefined : { name, edges };
  }

  #neighbour(name: string, by: bigint): string | undefined {
    const segment = this.#segmentBytes === undefined ? undefined : segmentOf(name, this.#segmentBytes);
    if (segment === undefined || this.#segmentBytes === undefined || segment.number + by < 0n) return undefined;
    return formatWalName({ timeline: segment.timeline, number: segment.number + by }, this.#segmentBytes);
  }
}
