import { join } from 'node:path';
import { type ProgramOptions, type ProgramResult, runProgram } from '../../src/lib/subprocess.ts';
import { packageRoot } from './package-root.ts';

export type CommandName = 'pghoard' | 'restore' | 'archive-sync' | 'archive-cleanup' | 'create-keys' | 'postgres-command';

/** How to start one of our commands from what is being tested: the program first, then its arguments. */
export function commandLine(name: CommandName): [string, ...string[]] {
  const isCompiled = import.meta.url.endsWith('.js');
  return [
    process.execPath,
    '--max-semi-space-size=2', // as in bin/launch.sh
    '--disable-warning=ExperimentalWarning',
    join(packageRoot, isCompiled ? `dist/programs/${name}.js` : `src/cli/${name}.ts`),
  ];
}

/** The same as it is installed, with all that the launcher sets: for measurements. The tests must be compiled. */
export function installedCommandLine(name: 'pghoard'): [string, ...string[]] {
  return [join(packageRoot, 'bin', name)];
}

/** Runs one of our commands to its end. */
export function runOurs(name: CommandName, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const [program, ...first] = commandLine(name);
  return runProgram(program, [...first, ...args], options);
}
