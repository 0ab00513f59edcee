import type { CompressionAlgorithm } from '../codec/codec-options.ts';
import type { Metadata } from '../storage/object-store.ts';

/** Metadata by lower-case names with hyphens, whatever a store or gateway made of them (`Content_Length`, `Start-Time`). */
export function normaliseMetadata(metadata: Metadata): Metadata {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key.toLowerCase().replaceAll('_', '-'), value]));
}

/** Leaves out what has no value: stores keep text only. */
export function metadataOf(fields: Readonly<Record<string, string | number | Date | undefined>>, asText: (date: Date) => string): Metadata {
  const present = Object.entries(fields).filter((field): field is [string, string | number | Date] => field[1] !== undefined);
  return Object.fromEntries(present.map(([key, value]) => [key, value instanceof Date ? asText(value) : String(value)]));
}

const algorithms: readonly string[] = ['snappy', 'lzma', 'zstd'] satisfies CompressionAlgorithm[];

export function isCompressionAlgorithm(text: string): text is CompressionAlgorithm {
  return algorithms.includes(text);
}

/** A count in decimal digits; `undefined` for anything else. */
export function parseCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text.trim())) return undefined;
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : undefined;
}
