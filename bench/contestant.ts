import type { TestPostgres } from '../test/support/postgres.ts';
import type { Flavour } from './flavour.ts';

/** What a tool is measured in. */
export interface Arena {
  readonly postgres: TestPostgres;
  /** A directory of the tool's own, which the user of PostgreSQL may write to. */
  readonly directory: string;
  readonly threads: number;
  readonly flavour: Flavour;
}

/** One way to run archive_command and restore_command: lines for the shell, as PostgreSQL starts them in its data directory. */
export interface WalCommand {
  readonly name: string;
  readonly archive: (name: string) => string;
  /** `dataDirectory`: of the cluster that recovers, where that is not the one that was backed up. */
  readonly restore: (name: string, output: string, dataDirectory?: string) => string;
}

/** One backup tool as it is set up for one flavour. */
export interface Contestant extends AsyncDisposable {
  readonly name: string;
  readonly flavour: Flavour;
  /** Processes that run all the time and count as the tool's. */
  readonly pids: readonly number[];
  /** Whether a process of the server works for it alone. */
  readonly hasServerProcess?: boolean;
  /** What its base backups are compared as, and nothing else of it is. Default: as base backups, and so are its restores. */
  readonly comparedAs?: readonly string[];
  /** In the command lines of all processes of this tool, and of no other's. */
  readonly mark: string;
  /** What PostgreSQL is told to archive with while this tool takes a backup. */
  readonly archiveCommand: string;
  readonly backup: () => Promise<void>;
  /** Bytes in the store of the latest backup. */
  readonly storedBytes: () => Promise<number>;
  /** Puts the latest backup into `target`, which does not exist yet; replays nothing. */
  readonly restore: (target: string) => Promise<void>;
  /** The first is the one that is recommended. */
  readonly commands?: readonly WalCommand[];
  /** What any command of a tool with a daemon has to wait for: the same work, asked for without starting a program. */
  readonly bare?: { readonly archive: (name: string) => Promise<void>; readonly restore: (name: string, output: string) => Promise<void> };
  /** Seconds of processor time by step of the work on contents, since the tool was started; where they are measured. */
  readonly steps?: () => Promise<Readonly<Record<string, number>>>;
}

/** Makes a tool ready for an arena; resolves to undefined where the tool cannot do what the flavour wants. */
export type OpenContestant = (arena: Arena) => Promise<Contestant | undefined>;
