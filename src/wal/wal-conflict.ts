import { parseWalMetadata } from '../catalog/wal-entry.ts';
import type { CodecPool } from '../codec/pool.ts';
import { OperatorError } from '../lib/errors.ts';
import { hashAlgorithms, nodeHashName } from '../lib/hash-algorithms.ts';
import type { Urgency } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import type { Spool } from '../transfer/spool.ts';
import { type HashOfOurs, sameContent } from './same-content.ts';
import { sameUntilSwitch } from './same-until-switch.ts';
import { hashWal } from './seal-wal.job.ts';
import type { SpooledWal } from './spooled-wal.ts';
import type { WalSource } from './stored-wal.ts';
import type { WalSealing } from './wal-sealing.ts';
import type { ClusterFacts } from './wal-source.ts';

export interface WalConflictDeps extends Pick<WalSource, 'site' | 'catalog' | 'privateKeyOf'> {
  readonly spool: Spool;
  readonly pool: CodecPool;
  readonly sealing: Pick<WalSealing, 'hashAlgorithm'>;
  /** What is known of the cluster by now; asked anew for each file. */
  readonly cluster: () => ClusterFacts;
  readonly signal: AbortSignal;
}

/** What is to be compared with what is stored. */
export interface OurWal {
  readonly hash: HashOfOurs;
  /** The plain file, or the one in the spool. */
  readonly content: string | SpooledWal;
}

/** A plain WAL file, and what its digest is wanted for. */
export interface PlainFile {
  readonly name: string;
  readonly path: string;
  readonly urgency: Urgency;
  readonly signal: AbortSignal;
}

/** Rejects with `wal-conflict` unless what is stored under the name is the same, as far as it is anybody's WAL. */
export async function expectSameWal(name: string, { hash, content }: OurWal, stored: ObjectEntry, deps: WalConflictDeps): Promise<void> {
  const { site, catalog, privateKeyOf, pool, spool, sealing, signal } = deps;
  const source = { site, catalog, privateKeyOf };
  const receiving = { pool, signal, directory: spool.prefetchDirectory, hashAlgorithm: hashAlgorithms[sealing.hashAlgorithm] };
  if (await sameContent(name, hash, stored, source, receiving)) return;
  if (await sameUntilSwitch(name, content, source, receiving)) return;
  throw new OperatorError('wal-conflict', `${name} is already stored with other content: ${stored.key} in ${catalog.store.name}`, {
    hint: `${whyConflict(name)} What is stored was not changed.`,
  });
}

/** Of a file that is not sealed yet. */
export function plainWal({ name, path, urgency, signal }: PlainFile, { pool, cluster }: WalConflictDeps): OurWal {
  return {
    hash: (algorithm) => pool.run(hashWal, { name, path, cluster: cluster(), hash: algorithm }, { signal, urgency }),
    content: path,
  };
}

/** Of one that has just been sealed: its digest is known, most often. */
export function sealedWal(spooled: SpooledWal, plain: OurWal): OurWal {
  return { hash: async (algorithm) => hashInMetadata(spooled, algorithm) ?? (await plain.hash(algorithm)), content: plain.content };
}

/** Of one that an earlier process has left, and whose plain file may be gone. */
export function leftWal(spooled: SpooledWal): OurWal {
  const hash = async (algorithm: string) => {
    const known = hashInMetadata(spooled, algorithm);
    if (known !== undefined) return known;
    throw new OperatorError('wal-conflict', `${spooled.name} is stored already, and the copy in the spool cannot be compared with it`, {
      hint: `If PostgreSQL still has the segment in pg_wal, remove ${spooled.path} and its .metadata; it will be archived again.`,
    });
  };
  return { hash, content: spooled };
}

function hashInMetadata({ metadata }: SpooledWal, algorithm: string): string | undefined {
  const { hash, hashAlgorithm } = parseWalMetadata(metadata);
  return hashAlgorithm !== undefined && nodeHashName(hashAlgorithm) === algorithm ? hash : undefined;
}

function whyConflict(name: string): string {
  const copy = 'Give the one that does not replace the other a site of its own ("A new cluster" in docs/guide.md).';
  if (classifyWalFile(name) === 'history')
    return `Two servers were promoted to this timeline, such as a restored copy beside its original. ${copy}`;
  return `Two servers write to the same site: a restored copy, a clone, or an old primary that came back. ${copy}`;
}
