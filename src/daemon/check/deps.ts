import type { Config } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';

/** How long one check may take. */
export const checkMsMax = 20_000;
/** And one subject, where its checks have no limits of their own. */
export const sectionMsMax = 60_000;

/** What the daemon said to one request. */
export interface DaemonReply {
  readonly status: number;
  /** The header `server`: `pghoard/3.0.0`. */
  readonly server: string;
  readonly text: string;
}

export interface CheckDeps {
  readonly config: Config;
  /** Only what every store must be able to do for backups at all, in place of the whole contract. */
  readonly quick: boolean;
  /** Of this package. */
  readonly version: string;
  /** The path of `pghoard_postgres_command`, as `archive_command` should name it. */
  readonly postgresCommand: string;
  /** Asks the daemon for its state. Rejects where it cannot be reached. */
  readonly askDaemon: (signal: AbortSignal) => Promise<DaemonReply>;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}
