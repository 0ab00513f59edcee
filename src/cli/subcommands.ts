import type { SubcommandProgram } from './subcommand-program.ts';

/** A program of its own behind `pghoard`: `pghoard NAME …`. */
export interface Subcommand {
  /** For the list in `pghoard --help`, the manual and the shells. */
  readonly summary: string;
  /** Nothing of it is loaded before it is meant. */
  readonly load: () => Promise<SubcommandProgram>;
}

export const subcommands: Readonly<Record<string, Subcommand>> = {
  check: {
    summary: 'tell whether everything is set up, and what mends what is not',
    load: async () => (await import('./check.ts')).checkProgram,
  },
  drill: {
    summary: 'restore a base backup beside the cluster, recover and check it: is it restorable?',
    load: async () => (await import('./drill.ts')).drillProgram,
  },
  retention: {
    summary: 'tell what is kept, why, and when it goes; confirm a large deletion',
    load: async () => (await import('./retention.ts')).retentionProgram,
  },
  status: {
    summary: 'tell of each site to which second it can be restored, what runs and what comes next',
    load: async () => (await import('./status.ts')).statusProgram,
  },
  verify: {
    summary: 'read again what is stored, and tell whether all of it is as it was stored',
    load: async () => (await import('./verify.ts')).verifyProgram,
  },
};

/** Who has a configuration file of that name can write ./check. */
export function subcommandNamed(name: string | undefined): Subcommand | undefined {
  return name !== undefined && Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
}

/** The list of them for `pghoard --help`. */
export function subcommandList(): string {
  const rows = Object.entries(subcommands).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return ['Sub-commands, each of which explains itself with --help:', ...rows].join('\n');
}
