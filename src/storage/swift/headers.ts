import type { IncomingHttpHeaders } from 'node:http';
import { OperatorError } from '../../lib/errors.ts';
import type { Metadata, ObjectEntry } from '../object-store.ts';

const metaPrefix = 'x-object-meta-';

/**
 * Metadata as headers. Text beyond ASCII goes as UTF-8, as python-swiftclient does it; Node takes a header's bytes as Latin-1.
 * Control characters would end the header, and begin another one.
 */
export function metadataHeaders(metadata: Metadata, key: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    if (/\p{Cc}/u.test(value) || !/^[\w.~-]+$/.test(name))
      throw new OperatorError('store-failed', `cannot store ${key}: its metadata ${JSON.stringify(name)} cannot be a header of Swift`);
    headers[metaPrefix + name.toLowerCase()] = Buffer.from(value, 'utf8').toString('latin1');
  }
  return headers;
}

/** What an answer's headers tell of an object of so many bytes. */
export function entryOf(key: string, headers: IncomingHttpHeaders, size: number): ObjectEntry {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(metaPrefix) && typeof value === 'string')
      metadata[name.slice(metaPrefix.length)] = Buffer.from(value, 'latin1').toString('utf8');
  }
  const digest = etagIn(headers);
  const isOfWhole = digest !== undefined && manifestIn(headers) === undefined;
  return { key, size, lastModified: lastModifiedIn(headers), metadata, ...(isOfWhole && { digest }) };
}

/** MD5 of the bytes; of a segmented object, of its segments' MD5s. */
export function etagIn(headers: IncomingHttpHeaders): string | undefined {
  return headers.etag?.replaceAll('"', '').toLowerCase();
}

/** `CONTAINER/PREFIX` of the segments; undefined for an object that has its bytes itself. */
export function manifestIn(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['x-object-manifest'];
  return typeof value === 'string' && value !== '' ? decodeURIComponent(value) : undefined;
}

/** Undefined where the store does not say. */
export function lengthIn(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['content-length'];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** To the millisecond where the store tells: the other header has only seconds. */
function lastModifiedIn(headers: IncomingHttpHeaders): Date {
  const seconds = Number(headers['x-timestamp'] ?? Number.NaN);
  return new Date(Number.isFinite(seconds) ? Math.floor(seconds * 1000) : Date.parse(headers['last-modified'] ?? headers.date ?? ''));
}
