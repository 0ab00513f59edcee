import type { LogRecord } from './record.ts';

/** Shorter texts are in too many words that are none of their business. */
const secretLengthMin = 6;
const mask = '***';

/**
 * The second line of defence: makes a function that blots out `secrets` wherever they stand in a message or a field. (The first one is never to
 * log them.) Of one that has several lines, such as a private key, each counts.
 */
export function redactor(secrets: Iterable<string>): (record: LogRecord) => LogRecord {
  const lines = [...secrets].flatMap((secret) => secret.split('\n')).map((line) => line.trim());
  const wanted = [...new Set(lines)].filter((line) => line.length >= secretLengthMin && !line.startsWith('-----'));
  const longestFirst = wanted.toSorted((a, b) => b.length - a.length);
  const redacted = (text: string) => longestFirst.reduce((rest, secret) => rest.replaceAll(secret, mask), text);
  const within = (value: unknown): unknown => {
    if (typeof value === 'string') return redacted(value);
    if (typeof value !== 'object' || value === null || value instanceof Date) return value;
    if (Array.isArray(value)) return value.map(within);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, within(inner)]));
  };
  if (longestFirst.length === 0) return (record) => record;
  return (record) => ({ ...record, message: redacted(record.message), fields: within(record.fields) as LogRecord['fields'] });
}
