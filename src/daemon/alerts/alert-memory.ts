import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { explain, systemErrorCode } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { SavedAlert } from './alert-entry.ts';
import { type AlertEvent, eventSchemaVersion } from './alert-event.ts';
import type { Outbox } from './outbox.ts';

export const memoryName = 'pghoard.alerts.json';

/** What is known of alerts, and what is still to be delivered by which channel. */
export interface Remembered {
  readonly alerts: readonly SavedAlert[];
  readonly outboxes: Readonly<Record<string, Outbox>>;
}

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)));
const savedAlert = z.object({
  name: z.string(),
  site: z.string().nullable(),
  since: time,
  because: z.string(),
  told: time.nullable(),
  active: z.boolean(),
  raised: z.array(time),
});
const event = z.looseObject({ schema_version: z.literal(eventSchemaVersion), id: z.string(), event: z.string() });
const remembered = z.object({
  alerts: z.array(savedAlert),
  outboxes: z.record(
    z.string(),
    z.object({ waiting: z.array(event.transform((known) => known as unknown as AlertEvent)), omitted: z.number() }),
  ),
});

/** The file in `backup_location` that takes alerts over a restart. One that cannot be written stops nothing. */
export class AlertMemory {
  readonly #log: Log;
  #directory: string | undefined;
  #unsaved: (() => Remembered) | undefined;
  #saving: Promise<void> = Promise.resolve();
  #trouble: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  move(directory: string): void {
    this.#directory = directory;
  }

  /** What an earlier life left; nothing where that cannot be understood. */
  async read(): Promise<Remembered> {
    const nothing = { alerts: [], outboxes: {} };
    if (this.#directory === undefined) return nothing;
    try {
      return remembered.parse(JSON.parse(await readFile(join(this.#directory, memoryName), 'utf8')));
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT')
        this.#log.warn(
          { file: memoryName },
          `alerts of an earlier life are forgotten, because their file cannot be read: ${explain(error)}`,
        );
      return nothing;
    }
  }

  /** Asks for it when it writes, so that many changes at once are written once. */
  save(now: () => Remembered): void {
    const isWaiting = this.#unsaved !== undefined;
    this.#unsaved = now;
    if (!isWaiting) this.#saving = this.#saving.then(() => this.#write());
  }

  /** Resolves once all has been written, or has been tried to be. */
  settled(): Promise<void> {
    return this.#saving;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  async #write(): Promise<void> {
    const now = this.#unsaved;
    this.#unsaved = undefined;
    if (now === undefined || this.#directory === undefined) return;
    try {
      await writeFileAtomic(join(this.#directory, memoryName), `${JSON.stringify(now(), undefined, 1)}\n`);
      this.#trouble = undefined;
    } catch (error) {
      const trouble = explain(error);
      if (trouble !== this.#trouble) this.#log.error({ file: memoryName }, `alerts would not outlive a restart: ${trouble}`);
      this.#trouble = trouble;
    }
  }
}
