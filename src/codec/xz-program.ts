import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { OperatorError } from '../lib/errors.ts';
import { tailOf } from '../lib/subprocess.ts';
import type { ByteSink } from './codec-options.ts';
import type { LzmaPreset } from './lzma-preset.ts';
import { objectCorrupt } from './object-corrupt.ts';
import type { Stage } from './stage.ts';

/** Preset 9 needs 65 MiB to decompress; a header can ask for 4 GiB. */
const decoderMemory = '128MiB';

/** Programs of this thread that run now. */
const running = new Set<ChildProcess>();

/** Ends what a failed job has left behind. A worker calls it after each job; it runs one at a time. */
export function endLeftoverPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
}

/** The path of `xz`, unless it is the one of busybox, which cannot compress. */
export function findXz(path = process.env['PATH'] ?? ''): string | undefined {
  const candidates = path.split(delimiter).filter((directory) => directory !== '');
  return candidates.map((directory) => join(directory, 'xz')).find(isUsable);
}

function isUsable(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return basename(realpathSync(program)) !== 'busybox';
  } catch {
    return false;
  }
}

/** Compresses with a child process. */
export class XzEncoder implements Stage {
  readonly #program: XzProgram;

  constructor(program: string, { preset, extreme }: LzmaPreset, threads: number, sink: ByteSink) {
    const level = `-${preset}${extreme ? 'e' : ''}`;
    this.#program = new XzProgram(program, ['--compress', '--format=xz', '--check=crc64', `--threads=${threads}`, level], sink);
  }

  update(bytes: Uint8Array): Promise<void> {
    return this.#program.write(bytes);
  }

  async finish(): Promise<void> {
    const complaint = await this.#program.end();
    if (complaint !== undefined) throw xzFailed('xz could not compress', complaint);
  }

  dispose(): void {
    this.#program.kill();
  }
}

/** Decompresses with a child process. */
export class XzDecoder implements Stage {
  readonly #program: XzProgram;

  constructor(program: string, sink: ByteSink) {
    this.#program = new XzProgram(program, ['--decompress', '--threads=1', `--memlimit-decompress=${decoderMemory}`], sink);
  }

  update(bytes: Uint8Array): Promise<void> {
    return this.#program.write(bytes);
  }

  async finish(): Promise<void> {
    const complaint = await this.#program.end();
    if (complaint === undefined) return;
    if (this.#program.judged) throw objectCorrupt('its xz stream cannot be decompressed', complaint);
    throw xzFailed('xz could not decompress', complaint);
  }

  dispose(): void {
    this.#program.kill();
  }
}

function xzFailed(what: string, cause: Error): OperatorError {
  return new OperatorError('xz-failed', what, {
    cause,
    retryable: true,
    hint: 'Look for memory or process limits that ended the program.',
  });
}

/**
 * A filter program. Its output is given to the sink only while `write` or `end` run, so that nobody is surprised by bytes in between;
 * what it writes meanwhile waits in the pipe, and the program with it.
 */
class XzProgram {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #sink: ByteSink;
  readonly #complaints: () => string;
  #closed: { readonly code: number | null; readonly signal: string | null } | undefined;
  #failure: Error | undefined;
  #wake = () => {};

  constructor(program: string, args: readonly string[], sink: ByteSink) {
    this.#sink = sink;
    // Its environment could change the format (XZ_OPT) and the language of its messages.
    this.#child = spawn(program, [...args, '--stdout', '--quiet'], { env: { LC_ALL: 'C' }, stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#complaints = tailOf(this.#child);
    const wake = () => this.#wake();
    this.#child.stdout.on('readable', wake);
    this.#child.stdin.on('error', wake);
    this.#child.on('error', (error) => {
      this.#failure = error;
      wake();
    });
    this.#child.on('close', (code, signal) => {
      running.delete(this.#child);
      this.#closed = { code, signal };
      wake();
    });
  }

  /** Whether the program came to a judgement on its input, instead of being ended from outside. */
  get judged(): boolean {
    return this.#failure === undefined && this.#closed?.code === 1;
  }

  /** Input that the program does not want any more is dropped: its exit code says why. */
  async write(bytes: Uint8Array): Promise<void> {
    let written = false;
    this.#child.stdin.write(bytes, () => {
      written = true;
      this.#wake();
    });
    await this.#giveOutUntil(() => written);
  }

  /** Undefined if all went well. */
  async end(): Promise<Error | undefined> {
    this.#child.stdin.end();
    await this.#giveOutUntil(() => false);
    if (this.#failure) return this.#failure;
    if (this.#closed?.code === 0) return undefined;
    const how = this.#closed?.signal ? `ended by ${this.#closed.signal}` : `exit code ${this.#closed?.code}`;
    return new Error([this.#complaints(), how].filter((text) => text !== '').join('; '));
  }

  kill(): void {
    if (this.#closed) return;
    this.#child.kill('SIGKILL');
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
  }

  async #giveOutUntil(done: () => boolean): Promise<void> {
    while (!done() && !this.#closed && !this.#failure) {
      const event = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (!(await this.#giveOut())) await event;
    }
  }

  async #giveOut(): Promise<boolean> {
    const bytes = this.#child.stdout.read() as Buffer | null;
    if (bytes === null) return false;
    await this.#sink(bytes);
    return true;
  }
}
