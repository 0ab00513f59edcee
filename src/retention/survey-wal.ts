import type { Catalog } from '../catalog/catalog.ts';
import { parseBeginningName } from '../catalog/wal-beginning.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { judgeWal, type StoredSegment, type WalNeeds, type WalVerdict } from './wal-need.ts';

/** Files that follow one another in the store, of one timeline and with one fate. Some may be missing in between. */
export interface WalStretch extends WalVerdict {
  /** Names, both included. */
  readonly from: string;
  readonly to: string;
  readonly files: number;
  /** As stored. */
  readonly bytes: number;
  /** When the oldest and the newest of them were stored. */
  readonly storedFirst: Date;
  readonly storedLast: Date;
  /** The same of those that go for another reason than every day's. */
  readonly unusual?: { readonly storedFirst: Date; readonly storedLast: Date };
}

/** WAL as it lies in the store. */
export interface StoredWalFile extends ObjectInfo {
  readonly name: string;
  /** That it is, or a part of it. */
  readonly segment: string;
}

export interface SurveyRules {
  /** Undefined: all stays. */
  readonly needs: WalNeeds | undefined;
  /** What goes as every day. */
  readonly isUsual: (file: StoredSegment) => boolean;
}

/** All stored WAL in as many stretches as there are fates, however many files there are. */
export async function surveyWal(catalog: Catalog, rules: SurveyRules, signal: AbortSignal): Promise<readonly WalStretch[]> {
  const survey = new WalSurvey(rules);
  for await (const file of storedWal(catalog, signal)) survey.add(file);
  return survey.stretches;
}

/** Joins files, in the order of a listing, to stretches. */
export class WalSurvey {
  readonly #rules: SurveyRules;
  readonly #stretches: Mutable<WalStretch>[] = [];
  #kind = '';

  constructor(rules: SurveyRules) {
    this.#rules = rules;
  }

  get stretches(): readonly WalStretch[] {
    return this.#stretches;
  }

  add(file: StoredWalFile): void {
    const { needs, isUsual } = this.#rules;
    const verdict = verdictOn(file, needs);
    const kind = kindAndTimeline(file);
    const last = this.#stretches.at(-1);
    const isSame = last !== undefined && this.#kind === kind && last.stays === verdict.stays && last.because === verdict.because;
    const stretch = isSame ? extend(last, file) : beginWith(file, verdict);
    if (!isSame) this.#stretches.push(stretch);
    this.#kind = kind;
    if (!verdict.stays && !isUsual({ segment: file.segment, stored: file.lastModified })) noteUnusual(stretch, file);
  }
}

/** Segments, partial segments and beginnings of segments. What is no WAL by its name is not seen. */
export async function* storedWal(catalog: Catalog, signal: AbortSignal): AsyncGenerator<StoredWalFile> {
  const { walPrefix, walPartialPrefix } = catalog.keys;
  for (const prefix of [walPrefix, walPartialPrefix]) yield* walUnder(prefix, catalog, signal);
}

/** What is named as WAL under a prefix. */
export async function* walUnder(prefix: string, { store }: Catalog, signal: AbortSignal): AsyncGenerator<StoredWalFile> {
  for await (const info of store.list(prefix, { signal })) {
    const name = info.key.slice(prefix.length);
    const segment = segmentOf(name);
    if (segment !== undefined) yield { ...info, name, segment };
  }
}

export function verdictOn({ segment, lastModified }: StoredWalFile, needs: WalNeeds | undefined): WalVerdict {
  if (needs === undefined) return { stays: true, because: 'it is not known what base backups need' };
  return judgeWal({ segment, stored: lastModified }, needs);
}

/** Of what is stored the segment that it is, or a part of it; undefined for anything else. */
function segmentOf(name: string): string | undefined {
  const kind = classifyWalFile(name);
  return kind === 'segment' || kind === 'partial' ? name.slice(0, 24) : parseBeginningName(name)?.segment;
}

/** Its folder, and its timeline. */
function kindAndTimeline({ key, name }: StoredWalFile): string {
  return key.slice(0, 8 - name.length);
}

function beginWith({ name, size, lastModified }: StoredWalFile, { stays, because }: WalVerdict): Mutable<WalStretch> {
  return { stays, because, from: name, to: name, files: 1, bytes: size, storedFirst: lastModified, storedLast: lastModified };
}

/** In place: there may be millions of files. */
function extend(stretch: Mutable<WalStretch>, { name, size, lastModified }: StoredWalFile): Mutable<WalStretch> {
  stretch.to = name;
  stretch.files++;
  stretch.bytes += size;
  if (lastModified < stretch.storedFirst) stretch.storedFirst = lastModified;
  if (lastModified > stretch.storedLast) stretch.storedLast = lastModified;
  return stretch;
}

function noteUnusual(stretch: Mutable<WalStretch>, { lastModified }: StoredWalFile): void {
  const { storedFirst = lastModified, storedLast = lastModified } = stretch.unusual ?? {};
  stretch.unusual = {
    storedFirst: lastModified < storedFirst ? lastModified : storedFirst,
    storedLast: lastModified > storedLast ? lastModified : storedLast,
  };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
