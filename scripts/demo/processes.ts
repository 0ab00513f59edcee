import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { OperatorError } from '../../src/lib/errors.ts';

export interface Program {
  /** For messages: `the daemon`. */
  readonly name: string;
  readonly command: readonly [file: string, ...args: string[]];
  readonly logFile: string;
  readonly cwd: string;
  /** What asks it to end. */
  readonly stopSignal: NodeJS.Signals;
  readonly user?: { readonly uid: number; readonly gid: number };
}

const stopMsMax = 30_000;
const logTailLines = 15;

/** Children that end with us, in the opposite order of their start; the kernel sees to it should we be killed. */
export class Processes implements AsyncDisposable {
  readonly #running: { readonly program: Program; readonly child: ChildProcess }[] = [];
  readonly #lost = Promise.withResolvers<never>();
  #stopping = false;

  constructor() {
    this.#lost.promise.catch(() => {}); // it counts only where somebody waits for it
  }

  /** Rejects as soon as one that was started with {@link start} ends by itself. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Starts a program that shall run until the end; returns its process id. */
  start(program: Program): number {
    const child = launch(program);
    this.#running.push({ program, child });
    const ended = (how: string) => {
      if (!this.#stopping) this.#lost.reject(failure(program, `${program.name} ended by itself (${how})`));
    };
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
    return child.pid ?? 0;
  }

  /** Runs a program to its end, which must be a success. */
  async run(program: Program): Promise<void> {
    const [code, signal] = (await once(launch(program), 'exit')) as [number | null, string | null];
    if (code !== 0) throw failure(program, `${program.name} failed (${signal ?? `exit code ${code}`})`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    for (const { program, child } of this.#running.toReversed()) await stop(child, program.stopSignal);
  }
}

/** The end of what a program printed. */
export function tailOfLog(logFile: string): string {
  if (!existsSync(logFile)) return '';
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  return lines.slice(-logTailLines).join('\n');
}

/** In a process group of its own: a Ctrl-C at the terminal is for the demo, which then stops everything in order. */
function launch({ command, logFile, cwd, user, stopSignal }: Program): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    const [file, ...args] = [...untilParentDies(stopSignal), ...command] as [string, ...string[]];
    return spawn(file, args, { cwd, detached: true, stdio: ['ignore', log, log], ...user });
  } finally {
    closeSync(log);
  }
}

function untilParentDies(signal: NodeJS.Signals): readonly string[] {
  return existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', signal.replace('SIG', ''), '--'] : [];
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const patience = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
  await gone;
  clearTimeout(patience);
}

function failure({ logFile }: Program, message: string): OperatorError {
  return new OperatorError('demo-failed', message, { hint: `The end of ${logFile}:\n${tailOfLog(logFile)}` });
}
