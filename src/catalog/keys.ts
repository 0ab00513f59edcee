import { OperatorError } from '../lib/errors.ts';
import { beginningName, type WalBeginning } from './wal-beginning.ts';

/** What the main object of a chunked or delta backup has after the backup's name. */
export const mainObjectSuffix = '.00000000.pghoard';

/** Where the objects of one site lie: every key under its prefix, without a leading slash. */
export class SiteKeys {
  readonly prefix: string;

  /** Slashes at either end and doubled ones do not count, as in the original's joining of paths. */
  constructor(prefix: string) {
    const parts = prefix.split('/').filter((part) => part !== '');
    if (parts.some((part) => part.startsWith('.'))) {
      throw new OperatorError('config-invalid', `${JSON.stringify(prefix)} cannot be the prefix of a site: a part of it begins with a dot`);
    }
    this.prefix = parts.join('/');
  }

  /** What every key of the site begins with. */
  get sitePrefix(): string {
    return this.#under('');
  }

  get walPrefix(): string {
    return this.#under('xlog/');
  }

  get historyPrefix(): string {
    return this.#under('timeline/');
  }

  /** Ours: the original does not store partial segments and beginnings of segments, and never looks here. */
  get walPartialPrefix(): string {
    return this.#under('xlog_partial/');
  }

  /** Ours: what happened when in each segment. The original never looks here. */
  get walIndexPrefix(): string {
    return this.#under('xlog_index/');
  }

  /** Ours: what the indexes of many segments tell together. The original never looks here. */
  get walRollupPrefix(): string {
    return this.#under('xlog_rollup/');
  }

  get basebackupPrefix(): string {
    return this.#under('basebackup/');
  }

  /** What the chunks of all backups begin with. */
  get chunksPrefix(): string {
    return this.#under('basebackup_chunk/');
  }

  /** What the bundles of all delta backups begin with. */
  get deltaChunksPrefix(): string {
    return this.#under('basebackup_delta_chunk/');
  }

  /** Files of delta backups, each named by the hash of its content. */
  get deltaFilesPrefix(): string {
    return this.#under('basebackup_delta/');
  }

  /** Ours: which files of delta backups a backup needs. The original never looks here. */
  get deltaIndexPrefix(): string {
    return this.#under('basebackup_delta_index/');
  }

  /** Ours: what `verify` has found out. The original never looks here. */
  get verifyEvidencePrefix(): string {
    return this.#under('evidence/verify/');
  }

  /** Ours: what restore drills have shown. The original never looks here. */
  get drillEvidencePrefix(): string {
    return this.#under('evidence/drill/');
  }

  /** Ours: how far `verify` has come. The original never looks here. */
  get verifyProgressPrefix(): string {
    return this.#under('evidence/verify_progress/');
  }

  get preservationPrefix(): string {
    return this.#under('preservation_request/');
  }

  /** Ours: which cluster the site belongs to. The original never looks here. */
  get identity(): string {
    return this.#under('site_identity');
  }

  /** Ours: which daemon works on the site. */
  get leasePrefix(): string {
    return this.#under('site_lease/');
  }

  /** Ours: what `pghoard check` stores to try the store, and removes again. */
  get scratchPrefix(): string {
    return this.#under('check_scratch/');
  }

  /** How far the verification of a base backup has come. */
  verifyProgressOfBasebackup(name: string): string {
    return `${this.verifyProgressPrefix}basebackup/${name}`;
  }

  /** `generation` counts from 1. */
  lease(generation: number): string {
    return this.leasePrefix + String(generation).padStart(10, '0');
  }

  wal(name: string): string {
    return this.walPrefix + name;
  }

  history(name: string): string {
    return this.historyPrefix + name;
  }

  walPartial(name: string): string {
    return this.walPartialPrefix + name;
  }

  /** Of the index of a segment or partial segment. */
  walIndex(name: string): string {
    return this.walIndexPrefix + name;
  }

  /** `name`: see `rollupName`. */
  walRollup(name: string): string {
    return this.walRollupPrefix + name;
  }

  /** Of the beginning of an unfinished segment. */
  walBeginning(beginning: WalBeginning): string {
    return this.walPartialPrefix + beginningName(beginning);
  }

  basebackup(name: string): string {
    return this.basebackupPrefix + name;
  }

  basebackupMain(name: string): string {
    return this.basebackup(name) + mainObjectSuffix;
  }

  /** What the chunks of one backup begin with. */
  chunkPrefix(name: string): string {
    return `${this.chunksPrefix}${name}/`;
  }

  /** `number` counts from 1. */
  chunk(name: string, number: number): string {
    return this.chunkFile(chunkFilename(name, number));
  }

  /** Key of a chunk that a manifest names by its `chunk_filename`. */
  chunkFile(filename: string): string {
    return this.chunksPrefix + filename;
  }

  /** What the bundles of one delta backup begin with. */
  deltaChunkPrefix(name: string): string {
    return `${this.deltaChunksPrefix}${name}/`;
  }

  /** Key of a bundle that a manifest names by its `chunk_filename`. */
  deltaChunkFile(filename: string): string {
    return this.deltaChunksPrefix + filename;
  }

  deltaFile(hexdigest: string): string {
    return this.deltaFilesPrefix + hexdigest;
  }

  deltaIndex(name: string): string {
    return this.deltaIndexPrefix + name;
  }

  verifyEvidenceOfBasebackup(name: string): string {
    return `${this.verifyEvidencePrefix}basebackup/${name}`;
  }

  /** Of the segments of a timeline, and of its history. */
  verifyEvidenceOfTimeline(timeline: number): string {
    return `${this.verifyEvidencePrefix}wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}`;
  }

  /** `begun`: of the drill, which makes them sort by time. */
  drillEvidence(begun: Date): string {
    return this.drillEvidencePrefix + begun.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  }

  #under(rest: string): string {
    return this.prefix === '' ? rest : `${this.prefix}/${rest}`;
  }
}

/** `<BBNAME>/<BBNAME>.%08d.pghoard`, as manifests name chunks. */
export function chunkFilename(name: string, number: number): string {
  return `${name}/${name}.${String(number).padStart(8, '0')}.pghoard`;
}

/** Whether the key is that of a main object with a name such as we and the original make. */
export function isMainObjectKey(key: string): boolean {
  return /^\d{4}-\d{2}-\d{2}(_\d{2}-\d{2})?_\d+$/.test(basebackupNameOf(key));
}

/** The backup's name from the key of its main object, whichever of the two shapes that has. */
export function basebackupNameOf(key: string): string {
  const base = key.slice(key.lastIndexOf('/') + 1);
  return base.endsWith(mainObjectSuffix) ? base.slice(0, -mainObjectSuffix.length) : base;
}
