import type { OperatorError } from '../lib/errors.ts';
import { nodeHashName } from '../lib/hash-algorithms.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import type { WalArchive } from '../wal/sync.ts';
import type { ArchivedWal } from '../wal/sync-decision.ts';
import type { DaemonAnswer, DaemonClient } from './daemon-client.ts';

/** An upload that takes longer than the daemon lets a request wait goes on; the next request joins it. */
const patience: RetryPolicy = { attemptsMax: 4, delayMsFirst: 500, delayMsMax: 5_000 };

/** The archive of a site by way of its daemon. */
export class DaemonArchive implements WalArchive {
  readonly #daemon: DaemonClient;
  readonly #site: string;
  readonly #signal: AbortSignal;

  constructor(daemon: DaemonClient, site: string, signal: AbortSignal) {
    this.#daemon = daemon;
    this.#site = site;
    this.#signal = signal;
  }

  async archived(name: string): Promise<ArchivedWal | undefined> {
    return this.#patiently(async () => {
      const what = `tell whether ${name} is archived`;
      const answer = await this.#ask('HEAD', name, what);
      if (answer.status === 200) return hashOf(answer);
      if (answer.status === 404) return undefined;
      throw this.#daemon.refusal(what, answer);
    });
  }

  async archive(name: string): Promise<void> {
    await this.#patiently(async () => {
      const answer = await this.#ask('PUT', name, `archive ${name}`);
      if (answer.status !== 201) throw this.#archiveError(name, answer);
    });
  }

  async requestBasebackup(): Promise<void> {
    const what = 'take the request for a base backup';
    const answer = await this.#ask('PUT', 'basebackup', what);
    if (answer.status !== 201) throw this.#daemon.refusal(what, answer);
  }

  /** Only the daemon's own word counts: another server may say 201 to anything, or that a file is not there. */
  async #ask(method: string, name: string, what: string): Promise<DaemonAnswer> {
    const answer = await this.#daemon.ask(method, this.#site, 'archive', name);
    if (!answer.isFromPghoard) throw this.#daemon.strangerError(what, answer);
    return answer;
  }

  /** `wal-…` where it is about this file. */
  #archiveError(name: string, answer: DaemonAnswer): OperatorError {
    const code = String(answer.headers['x-pghoard-code'] ?? (answer.status < 500 ? 'wal-refused' : ''));
    return this.#daemon.refusal(`archive ${name}`, answer, code.startsWith('wal-') ? code : undefined);
  }

  #patiently<T>(work: () => Promise<T>): Promise<T> {
    return retry(work, patience, { signal: this.#signal });
  }
}

function hashOf({ headers }: DaemonAnswer): ArchivedWal {
  const hash = headers['metadata-hash'];
  const algorithm = headers['metadata-hash-algorithm'];
  if (typeof hash !== 'string' || typeof algorithm !== 'string') return {};
  return { hash, hashAlgorithm: nodeHashName(algorithm) };
}
