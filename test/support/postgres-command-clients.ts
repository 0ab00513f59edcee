import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { commandLine } from './commands.ts';
import { packageRoot } from './package-root.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A way to start `pghoard_postgres_command`. */
export interface CommandClient {
  readonly name: 'shell' | 'node' | 'shell alone';
  /** Program and first arguments. */
  readonly line: readonly [string, ...string[]];
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Run>;
}

export interface CommandClients extends AsyncDisposable {
  /** The command as it is installed, and the Node client to which it hands over. Both behave alike. */
  readonly both: readonly CommandClient[];
  /** The command in a package in which Node cannot be started: ends with {@link handedOver} instead. */
  readonly alone: CommandClient;
  readonly node: CommandClient;
  /** As `alone`, with something replaced in the command. */
  readonly altered: (from: string, to: string) => Promise<CommandClient>;
}

/** No code of the command's own. */
export const handedOver = 77;

/** Packages that have `bin/` as it is, and the Node client as it is being tested. */
export async function makeCommandClients(): Promise<CommandClients> {
  const directory = await makeTemporaryDirectory();
  const [program, ...first] = commandLine('postgres-command');
  const shell = await makePackage(join(directory.path, "it's a package"));
  const node = makeClient('node', [program, ...first]);
  const makeAlone = async (name: string, change: (command: string) => string) => {
    const line = await makePackage(join(directory.path, name));
    await writeFile(join(dirname(line), 'launch.sh'), `launch() { exit ${handedOver}; }\n`);
    await writeFile(line, change(await readFile(line, 'utf8')));
    return makeClient('shell alone', [line]);
  };
  return {
    both: [makeClient('shell', [shell]), node],
    alone: await makeAlone('alone', (command) => command),
    node,
    altered: (from, to) => makeAlone(`altered ${to}`.replaceAll('/', '_'), (command) => command.replaceAll(from, to)),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** The Node that runs the tests is the one that is found first. */
export function commandEnvironment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, PGHOARD_RETRY_INTERVAL: '0', ...env };
}

/** Returns the path of the command. */
async function makePackage(home: string): Promise<string> {
  const main = join(home, 'dist/programs/postgres-command.js');
  await cp(join(packageRoot, 'bin'), join(home, 'bin'), { recursive: true });
  await mkdir(dirname(main), { recursive: true });
  await writeFile(join(home, 'package.json'), '{"type":"module"}');
  const tested = pathToFileURL(commandLine('postgres-command').at(-1) ?? '').href;
  await writeFile(main, `await import(${JSON.stringify(tested)});\n`);
  return join(home, 'bin/pghoard_postgres_command');
}

function makeClient(name: CommandClient['name'], line: CommandClient['line']): CommandClient {
  return { name, line, run: (args, options) => runLine([...line, ...args], options) };
}

async function runLine([program = '', ...args]: readonly string[], { cwd, env }: RunOptions = {}): Promise<Run> {
  const child = spawn(program, args, { cwd, env: commandEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}
