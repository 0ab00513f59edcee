import { InvalidArgumentError } from 'commander';

const powers: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };

/** `500M`, `10GiB`, `1.5 T`: powers of 1024. */
export function parseBytes(text: string): number {
  const match = /^(\d{1,16}(?:\.\d{1,3})?) ?([KMGT]?)(?:iB|B)?$/i.exec(text);
  const bytes = match && Math.floor(Number(match[1]) * 1024 ** (powers[(match[2] ?? '').toUpperCase()] ?? 0));
  if (bytes !== null && bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError('It must be a number of bytes above 0, such as 10G.');
}
