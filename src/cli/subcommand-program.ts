import type { Command } from 'commander';

export interface SubcommandProgram {
  /** Its command line. Help, manual page and completion are made of this. */
  describe(): Command;
  /** Runs it to its exit code. */
  run(argv: readonly string[]): Promise<number>;
}
