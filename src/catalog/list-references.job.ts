import { z } from 'zod';
import { defineJob } from '../codec/job.ts';
import { ManifestLists } from './manifest-lists.ts';
import { manifestInvalid, streamManifest } from './manifest-stream.ts';
import type { StoredObject } from './stored-object.ts';

export interface ListReferencesInput {
  /** Of a delta backup. */
  readonly main: StoredObject;
  /** Only hashes behind this one. */
  readonly after: string;
  /** So many, at most. */
  readonly max: number;
}

export interface ListedReferences {
  /** Ascending, each once. */
  readonly hashes: readonly string[];
  /** There are no more behind them. */
  readonly isEnd: boolean;
  /** Of the files whose place the manifest does not tell; some of them. */
  readonly nowhere: readonly string[];
}

const fileSchema = z.object({
  relative_path: z.string(),
  file_size: z.int().nonnegative(),
  hexdigest: z.string().default(''),
  content_b64: z.string().nullable().default(null),
  should_be_bundled: z.boolean().default(false),
});

const nowhereMax = 5;

/** Which of the files that delta backups share a backup needs: as many of them as are asked for, however many there are. */
export const listReferences = defineJob(
  import.meta.url,
  'listReferences',
  async ({ main, after, max }: ListReferencesInput, { signal, report }): Promise<ListedReferences> => {
    const smallest = new Smallest(max);
    const nowhere: string[] = [];
    const lists = new ManifestLists({
      'manifest.snapshot_result.state.files': (item) => {
        const file = fileSchema.safeParse(item);
        if (!file.success) throw manifestInvalid(`an entry of its list of files is wrong: ${z.prettifyError(file.error)}`);
        const { relative_path, file_size, hexdigest, content_b64, should_be_bundled } = file.data;
        if (hexdigest !== '' && !should_be_bundled) {
          if (hexdigest > after) smallest.add(hexdigest);
        } else if (!should_be_bundled && lengthOf(content_b64) !== file_size && nowhere.length < nowhereMax) nowhere.push(relative_path);
      },
    });
    await streamManifest(main, (bytes) => lists.update(bytes), { signal, onStoredBytes: report });
    lists.finish();
    return { ...smallest.finish(), nowhere };
  },
);

function lengthOf(base64: string | null): number {
  return base64 === null ? 0 : Buffer.from(base64, 'base64').length;
}

/** The smallest of the texts that come, each once. */
class Smallest {
  readonly #max: number;
  #kept = new Set<string>();
  #limit = '\u{10ffff}';
  #isCut = false;

  constructor(max: number) {
    this.#max = max;
  }

  add(text: string): void {
    if (text > this.#limit) {
      this.#isCut = true;
      return;
    }
    this.#kept.add(text);
    if (this.#kept.size >= 2 * this.#max) this.#cut();
  }

  finish(): Pick<ListedReferences, 'hashes' | 'isEnd'> {
    if (this.#kept.size > this.#max) this.#cut();
    return { hashes: [...this.#kept].toSorted(), isEnd: !this.#isCut };
  }

  #cut(): void {
    const sorted = [...this.#kept].toSorted();
    this.#isCut = true;
    this.#kept = new Set(sorted.slice(0, this.#max));
    this.#limit = sorted[this.#max - 1] as string;
  }
}
