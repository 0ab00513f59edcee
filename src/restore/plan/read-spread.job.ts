import type { BackupFormat } from '../../catalog/backup-format.ts';
import { parseManifest } from '../../catalog/manifest.ts';
import { type ListSummary, ManifestCondenser } from '../../catalog/manifest-condenser.ts';
import { streamManifest } from '../../catalog/manifest-stream.ts';
import { memberPlace } from '../../catalog/member-place.ts';
import type { StoredObject } from '../../catalog/stored-object.ts';
import { defineJob } from '../../codec/job.ts';

export interface SpreadInput {
  /** Of a base backup in several objects. */
  readonly main: StoredObject;
  readonly format: BackupFormat;
  /** Names. */
  readonly tablespaces: readonly string[];
}

/** Bytes of a tablespace: of chunks that hold nothing else, and of all that hold anything of it. */
export interface Share {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** How much of a base backup goes to which tablespace, as far as its manifest tells: it has the sizes of chunks, and the names of what is in them. */
export const readSpread = defineJob(
  import.meta.url,
  'readSpread',
  async ({ main, format, tablespaces }: SpreadInput, { signal }): Promise<readonly Share[]> => {
    const condenser = new ManifestCondenser(() => new PlacesInList(format, tablespaces));
    await streamManifest(main, (bytes) => condenser.update(bytes), { signal });
    const chunks = parseManifest(condenser.finish()).chunks.map(({ files, input_size: bytes = 0 }) => {
      return { bytes, places: typeof files === 'number' ? [] : (JSON.parse(files.sum) as readonly string[]) };
    });
    return tablespaces.map((name) => {
      const sum = (isIn: (places: readonly string[]) => boolean) =>
        chunks.reduce((all, { bytes, places }) => (isIn(places) ? all + bytes : all), 0);
      return { name, min: sum((places) => places.length === 1 && places[0] === name), max: sum((places) => places.includes(name)) };
    });
  },
);

/** To which directories the members of a chunk go; the data directory has no name. */
class PlacesInList implements ListSummary {
  readonly #format: BackupFormat;
  readonly #tablespaces: readonly string[];
  readonly #places = new Set<string>();
  #count = 0;

  constructor(format: BackupFormat, tablespaces: readonly string[]) {
    this.#format = format;
    this.#tablespaces = tablespaces;
  }

  add(path: string): void {
    this.#count++;
    const place = memberPlace(path, { format: this.#format, tablespaces: this.#tablespaces });
    if (place !== undefined) this.#places.add(place.tablespace ?? '');
  }

  get names(): { readonly count: number; readonly sum: string } {
    return { count: this.#count, sum: JSON.stringify([...this.#places]) };
  }
}
