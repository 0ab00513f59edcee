import { describeArchiveCleanup } from '../archive-cleanup-flags.ts';
import { describeArchiveSync } from '../archive-sync-flags.ts';
import { describeCreateKeys } from '../create-keys-flags.ts';
import { describePghoard } from '../pghoard-flags.ts';
import { postgresCommandFlags, postgresCommandNotes } from '../postgres-command-options.ts';
import { describeRestore } from '../restore-flags.ts';
import { subcommands } from '../subcommands.ts';
import { type CommandLine, commandLineOf } from './command-line.ts';

/** Every command that this package installs. */
export async function allCommands(): Promise<CommandLine[]> {
  return [
    await pghoard(),
    ...[describeRestore(), describeArchiveSync(), describeArchiveCleanup(), describeCreateKeys()].map((command) => commandLineOf(command)),
    postgresCommand,
  ];
}

async function pghoard(): Promise<CommandLine> {
  const programs = await Promise.all(Object.values(subcommands).map(({ load }) => load()));
  return { ...commandLineOf(describePghoard()), subcommands: programs.map((program) => commandLineOf(program.describe())) };
}

const postgresCommand: CommandLine = {
  name: 'pghoard_postgres_command',
  summary: 'Archive or restore one WAL file, as archive_command or restore_command of PostgreSQL.',
  options: Object.entries(postgresCommandFlags).map(([name, flag]) => ({
    ...('short' in flag && { short: `-${flag.short}` }),
    long: `--${name}`,
    ...('value' in flag && { value: flag.value.toLowerCase() }),
    choices: 'choices' in flag ? flag.choices : [],
    required: 'required' in flag,
    description: flag.about,
  })),
  arguments: [],
  subcommands: [],
  notes: postgresCommandNotes,
};
