import { z } from 'zod';
import { withoutWrappers } from '../lib/option-group.ts';
import { type JsonPath, type Positions, pathKey } from './json.ts';
import { formatPath } from './problem.ts';
import { fileOptions, siteOptions } from './schema.ts';

/** Keys that the original writes into its configuration in memory, and that find their way into files by copying. */
const computedSiteKeys = ['pg_data_directory_version', 'pg_basebackup_version', 'pg_receivexlog_version', 'pg_version'];

type JsonObject = Record<string, unknown>;

/**
 * Rewrites what is written as in older releases, or as their documentation wrongly had it, into what is written now:
 * in place, with a warning for each. Says also which keys are deprecated or without effect.
 */
export function modernise(file: JsonObject, positions: Positions): string[] {
  const warnings: string[] = [];
  const edit = new Edit(positions, warnings);
  moveUploadLimit(file, edit);
  renameKeys(file, fileOptions, [], edit);
  for (const [name, site] of Object.entries(isObject(file.backup_sites) ? file.backup_sites : {})) {
    if (!isObject(site)) continue;
    const path = ['backup_sites', name];
    for (const key of computedSiteKeys) edit.drop(site, [...path, key], 'is found out by pghoard itself and ignored here');
    chooseStreamCompression(site, path, edit);
    renameKeys(site, siteOptions, path, edit);
  }
  return warnings;
}

class Edit {
  readonly #positions: Positions;
  readonly #warnings: string[];

  constructor(positions: Positions, warnings: string[]) {
    this.#positions = positions;
    this.#warnings = warnings;
  }

  warn(path: JsonPath, text: string): void {
    this.#warnings.push(`${formatPath(path)} ${text}`);
  }

  /** Moves the value at `from` to `to`, unless there is one already. */
  move(source: JsonObject, from: JsonPath, target: JsonObject, to: JsonPath): void {
    const [oldKey, newKey] = [String(from.at(-1)), String(to.at(-1))];
    if (!Object.hasOwn(source, oldKey)) return;
    if (Object.hasOwn(target, newKey)) this.warn(from, `is ignored: ${formatPath(to)} is given too`);
    else {
      this.warn(from, `is read as ${formatPath(to)}; write it so`);
      target[newKey] = source[oldKey];
      this.#movePositions(from, to);
    }
    delete source[oldKey];
  }

  drop(object: JsonObject, path: JsonPath, why: string): void {
    const key = String(path.at(-1));
    if (!Object.hasOwn(object, key)) return;
    this.warn(path, why);
    delete object[key];
  }

  #movePositions(from: JsonPath, to: JsonPath): void {
    const start = pathKey(from).slice(0, -1);
    const moved = Array.from(this.#positions).filter(([key]) => key.startsWith(`${start},`) || key === `${start}]`);
    for (const [key, position] of moved) this.#positions.set(pathKey(to).slice(0, -1) + key.slice(start.length), position);
  }
}

/** The documentation of the original had this key in the wrong place. */
function moveUploadLimit(file: JsonObject, edit: Edit): void {
  const key = 'upload_retries_warning_limit';
  if (isObject(file.transfer)) edit.move(file.transfer, ['transfer', key], file, [key]);
}

function chooseStreamCompression(site: JsonObject, path: JsonPath, edit: Edit): void {
  if (site.stream_compression !== true) return;
  if (!Object.hasOwn(site, 'basebackup_mode')) site.basebackup_mode = 'pipe';
  else if (site.basebackup_mode !== 'pipe') edit.warn([...path, 'stream_compression'], 'is ignored: basebackup_mode is given too');
}

function renameKeys(object: JsonObject, schema: z.core.$ZodType, path: JsonPath, edit: Edit): void {
  for (const [key, option] of Object.entries(shapeOf(schema, object))) {
    const about = z.globalRegistry.get(option) ?? {};
    for (const spelling of about.spellings ?? []) edit.move(object, [...path, spelling], object, [...path, key]);
    const value = object[key];
    if (value === undefined || value === null) continue;
    if (about.unused !== undefined) edit.warn([...path, key], `has no effect: ${about.unused}`);
    else if (about.deprecated) edit.warn([...path, key], `is deprecated, use ${about.instead}`);
    if (isObject(value)) renameKeys(value, option, [...path, key], edit);
  }
}

/** The options that `value` may have; none where it is not made of a fixed set of keys. */
function shapeOf(schema: z.core.$ZodType, value: JsonObject): z.core.$ZodShape {
  const inner = withoutWrappers(schema);
  if (inner instanceof z.ZodObject) return inner.shape;
  if (!(inner instanceof z.ZodDiscriminatedUnion)) return {};
  const key = inner.def.discriminator;
  for (const option of inner.options) {
    const shape = shapeOf(option, value);
    const type = shape[key];
    if (type instanceof z.ZodLiteral && type.values.has(value[key] as string)) return shape;
  }
  return {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
