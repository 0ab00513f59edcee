import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type AlertName, alertNames, isAlertName } from './alert-catalogue.ts';

/** The files in `alert_file_dir`, kept as they should be. A directory that cannot be written is told of once, and tried again. */
export class AlertFiles {
  readonly #log: Log;
  #directory: string;
  #wanted: ReadonlySet<AlertName> = new Set();
  /** Those whose file is certainly as it should be. */
  readonly #settled = new Map<AlertName, boolean>();
  #working: Promise<void> = Promise.resolve();
  #trouble: string | undefined;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Why a file is not as it should be. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Those of an earlier life, or of the original. */
  async found(): Promise<AlertName[]> {
    const names: readonly string[] = await readdir(this.#directory).catch(() => []);
    return names.filter(isAlertName);
  }

  /** From now on they are in another directory. The old one is left without any. */
  async move(directory: string): Promise<void> {
    if (directory === this.#directory) return;
    const wanted = this.#wanted;
    await this.keep(new Set());
    this.#directory = directory;
    this.#settled.clear();
    await this.keep(wanted);
  }

  /** Resolves once it has been tried; whether it worked is {@link trouble}. Also tries again what failed. */
  keep(wanted: ReadonlySet<AlertName>): Promise<void> {
    this.#wanted = wanted;
    this.#working = this.#working.then(() => this.#work());
    return this.#working;
  }

  async #work(): Promise<void> {
    const wanted = this.#wanted;
    try {
      for (const name of alertNames) {
        if (this.#settled.get(name) !== wanted.has(name)) await this.#settle(name, wanted.has(name));
      }
      if (this.#trouble !== undefined) this.#log.info({ directory: this.#directory }, 'alert files can be written again');
      this.#trouble = undefined;
    } catch (error) {
      this.#tell(error);
    }
  }

  async #settle(name: AlertName, isThere: boolean): Promise<void> {
    const file = join(this.#directory, name);
    this.#settled.delete(name);
    if (isThere) {
      await mkdir(this.#directory, { recursive: true });
      await writeFile(file, 'alert');
    } else await rm(file, { force: true });
    this.#settled.set(name, isThere);
  }

  #tell(error: unknown): void {
    const trouble = explain(error);
    if (trouble !== this.#trouble) this.#log.error({ directory: this.#directory }, `cannot keep the alert files: ${trouble}`);
    this.#trouble = trouble;
  }
}
