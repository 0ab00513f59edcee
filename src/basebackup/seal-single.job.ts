import { BroadcastChannel } from 'node:worker_threads';
import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import { defineJob, type JobContext } from '../codec/job.ts';
import { manifestMember } from './manifest.ts';
import type { PageCheck } from './page-check.ts';
import { addBackupLabel, addControlFile, type ControlMembers, contentMember } from './seal-control.job.ts';
import { SealedFile } from './sealed-file.ts';
import { type PackResult, type SkippedFile, TarPacker } from './tar-packer.ts';
import { type Tablespace, walkCluster } from './walk.ts';

export interface SingleInput extends Pick<ControlMembers, 'directories' | 'owner'> {
  readonly dataDirectory: string;
  readonly major: string;
  readonly tablespaces: readonly Tablespace[];
  /** JSON text. */
  readonly manifest: string;
  /** Name of the BroadcastChannel on which the main thread sends the {@link SingleEnding} once it was told {@link filesRead}. */
  readonly channel: string;
  readonly target: string;
  readonly seal: SealOptions;
  readonly pages?: PageCheck | undefined;
}

/** What is only known once PostgreSQL has ended the backup. */
export type SingleEnding = Pick<ControlMembers, 'backupLabel' | 'controlFile'>;

/** Reported when all files are in the archive. */
export const filesRead = 'files read';

/**
 * A whole cluster as one archive, format `pghoard-bb-v1`. The label of a non-exclusive backup exists only after its end, so it and
 * the control file come last, as version 1.5.0 had it; every reader takes members in any order behind the manifest.
 */
export const sealSingle = defineJob(
  import.meta.url,
  'sealSingle',
  async (input: SingleInput, context): Promise<SealResult & PackResult> => {
    using ending = new ExpectedEnding(input.channel, context);
    using file = new SealedFile(input.target, input.seal, context);
    using packer = new TarPacker(file, { pages: input.pages });
    const missed: SkippedFile[] = [];
    await packer.addContent(contentMember(manifestMember, input.owner), Buffer.from(input.manifest));
    for (const directory of input.directories) await packer.addContent(directory);
    const onSkipped = (path: string, why: string) => void missed.push({ path, why });
    for await (const entry of walkCluster(input.dataDirectory, { major: input.major, tablespaces: input.tablespaces, onSkipped })) {
      await packer.add(entry);
    }
    context.report(filesRead);
    const control = { ...input, ...(await ending.arrived) };
    await addControlFile(packer, control);
    await addBackupLabel(packer, control);
    const packed = await packer.end();
    return { ...(await file.finish()), ...packed, skipped: [...missed, ...packed.skipped] };
  },
);

/** Listens from the start, so that nothing sent can be missed. */
class ExpectedEnding implements Disposable {
  readonly arrived: Promise<SingleEnding>;
  readonly #channel: BroadcastChannel;

  constructor(name: string, { signal }: JobContext) {
    this.#channel = new BroadcastChannel(name);
    this.arrived = new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      this.#channel.addEventListener('message', (event) => resolve((event as unknown as { data: SingleEnding }).data), { once: true });
    });
    this.arrived.catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
