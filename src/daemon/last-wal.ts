import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type AwaitedSegment, awaitedSegment } from './servers/awaited-segment.ts';
import type { endSegmentOfNode } from './servers/end-segment-of-node.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import type { UsableNode } from './servers/troubles.ts';

export interface LastWalDeps {
  readonly site: Pick<SiteConfig, 'name' | 'nodes'>;
  readonly catalog: Pick<Catalog, 'findWal'>;
  readonly servers: Pick<ServerWatch, 'asked' | 'leader' | 'usable'>;
  readonly endSegment: typeof endSegmentOfNode;
  readonly clock: Clock;
  readonly log: Log;
}

const retryMs = 60_000;
/** Somebody has to grant something first. */
const refusedMs = 60 * 60_000;

/**
 * Sees to it that the last WAL segment of a base backup from a standby is finished, so that it gets archived: the standby cannot do that, and on an idle primary nothing
 * else would. Where no primary can be made to, that is told once, and the segment waited for.
 */
export class LastWal {
  readonly #deps: LastWalDeps;
  readonly #end = new AbortController();
  #running: Promise<void> | undefined;
  #told: string | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LastWalDeps) {
    this.#deps = deps;
  }

  /** Begins what is to be done, if anything is. `entries`: the base backups of the site. */
  look(entries: readonly BasebackupEntry[]): void {
    if (this.#running !== undefined || this.#end.signal.aborted) return;
    const { servers } = this.#deps;
    const awaited = awaitedSegment(entries, servers.leader, servers.usable);
    if (awaited === undefined) this.#told = undefined;
    else this.#running = this.#see(awaited).finally(() => (this.#running = undefined));
  }

  /** Resolves once what was begun has come to something. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #see(awaited: AwaitedSegment): Promise<void> {
    const { primary } = awaited;
    try {
      if (primary === undefined) await this.#waitForPrimary(awaited);
      else await this.#finish(awaited, primary);
    } catch (error) {
      if (!this.#end.signal.aborted) this.#tell(awaited, messageOf(error));
    }
  }

  async #finish({ segment, basebackup }: AwaitedSegment, { index, label, sample: { segmentBytes } }: UsableNode): Promise<void> {
    const { site, endSegment, clock, log } = this.#deps;
    const node = site.nodes[index];
    if (node === undefined || clock.monotonicMs() < this.#notBeforeMs) return;
    const hasEnded = await endSegment(node, { name: segment, segmentBytes }, this.#end.signal).catch((error: unknown) => {
      this.#notBeforeMs = clock.monotonicMs() + (isOperatorError(error) && error.retryable ? retryMs : refusedMs);
      throw error;
    });
    if (hasEnded)
      log.info(
        { site: site.name, basebackup },
        `the primary ${label} has finished ${segment}, the last WAL segment that base backup ${basebackup} needs`,
      );
  }

  /** One that has just been started has not been asked yet, and what is finished may be stored. */
  async #waitForPrimary(awaited: AwaitedSegment): Promise<void> {
    const { servers, catalog } = this.#deps;
    if (this.#told === awaited.segment) return;
    await servers.asked(this.#end.signal);
    if (servers.leader !== undefined || (await catalog.findWal(awaited.segment, this.#end.signal)) !== undefined) return;
    this.#tell(awaited, 'no primary answers that could be made to finish it');
  }

  /** Once for each segment. */
  #tell({ segment, basebackup }: AwaitedSegment, because: string): void {
    if (segment === this.#told) return;
    this.#told = segment;
    const text = `base backup ${basebackup} can be restored once WAL segment ${segment} is stored, which is waited for: ${because}`;
    this.#deps.log.info({ site: this.#deps.site.name, basebackup }, text);
  }
}
