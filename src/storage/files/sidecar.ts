import { OperatorError } from '../../lib/errors.ts';
import type { Metadata } from '../object-store.ts';

/** The original's internal entry: SHA-256 of the stored bytes, hex. Not part of the metadata that callers see. */
const hashEntry = '_hash';
/** Metadata are a few hundred bytes. */
export const sidecarBytesMax = 1024 * 1024;

/** One JSON object of strings as Python's `json.dumps` writes it: `", "` and `": "`, non-ASCII escaped, no newline at the end. */
export function formatSidecar(metadata: Metadata, sha256?: string): string {
  const entries = Object.entries(sha256 === undefined ? metadata : { ...metadata, [hashEntry]: sha256 });
  return `{${entries.map(([key, value]) => `${asciiJson(key)}: ${asciiJson(value)}`).join(', ')}}`;
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The `_hash` of a sidecar that {@link parseSidecar} accepts. */
export function digestIn(text: string): string | undefined {
  const digest = (JSON.parse(text) as Record<string, unknown>)[hashEntry];
  return typeof digest === 'string' ? digest : undefined;
}

/** Takes what any version of the original wrote: values that are not text (before 1.3.0) become what Python's `str()` makes of them, nulls are dropped. */
export function parseSidecar(text: string): Metadata {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new SyntaxError('not a JSON object');
  const kept = Object.entries(parsed).filter(([key, value]) => key !== hashEntry && value !== null);
  return Object.fromEntries(kept.map(([key, value]) => [key, asText(value)]));
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  throw new SyntaxError('a value is neither text nor a number');
}

export function metadataFrom(path: string, text: string): Metadata {
  try {
    return parseSidecar(text);
  } catch (cause) {
    throw sidecarUnreadable(path, cause);
  }
}

export function sidecarUnreadable(path: string, cause: unknown): OperatorError {
  return new OperatorError('store-failed', `cannot read the metadata file ${path}`, {
    cause,
    hint: 'Bring this file back from a copy of the store, or take the object out of the store by moving both files away.',
  });
}
