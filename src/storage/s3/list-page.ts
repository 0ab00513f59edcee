import type { ObjectInfo } from '../object-store.ts';

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  readonly isTruncated: boolean;
  readonly nextToken: string | undefined;
}

/**
 * A page of ListObjectsV2. A general reader of XML takes ten times as long, which matters with millions of keys. Undefined where it is none, or not
 * whole. Keys are decoded only where the store says that it encoded them.
 */
export function parseListPage(xml: string): ListPage | undefined {
  const head = /<ListBucketResult[\s>]/.exec(xml);
  if (!head || !/<\/ListBucketResult>\s*$/.test(xml)) return undefined;
  const contentsFrom = indexOr(xml, '<Contents>', xml.length);
  const contentsTo = xml.lastIndexOf('</Contents>');
  const around = xml.slice(0, contentsFrom) + xml.slice(Math.max(contentsFrom, contentsTo));
  const truncated = fieldOf(around, 'IsTruncated');
  const isEncoded = fieldOf(around, 'EncodingType') === 'url';
  const objects: ObjectInfo[] = [];
  for (let at = contentsFrom; at < contentsTo; ) {
    const end = xml.indexOf('</Contents>', at);
    const object = objectOf(xml.slice(at, end), isEncoded);
    if (!object) return undefined;
    objects.push(object);
    at = indexOr(xml, '<Contents>', xml.length, end);
  }
  if (truncated === undefined) return undefined;
  return { objects, isTruncated: truncated === 'true', nextToken: fieldOf(around, 'NextContinuationToken') };
}

function objectOf(xml: string, isEncoded: boolean): ObjectInfo | undefined {
  const key = fieldOf(xml, 'Key');
  const size = Number(fieldOf(xml, 'Size') ?? Number.NaN);
  const lastModified = new Date(fieldOf(xml, 'LastModified') ?? Number.NaN);
  if (key === undefined || !Number.isSafeInteger(size) || Number.isNaN(lastModified.getTime())) return undefined;
  return { key: isEncoded ? decodedUrl(key) : key, size, lastModified };
}

/** Of the first element of this name. */
function fieldOf(xml: string, name: string): string | undefined {
  const start = xml.indexOf(`<${name}>`);
  if (start < 0) return undefined;
  const from = start + name.length + 2;
  const to = xml.indexOf(`</${name}>`, from);
  return to < 0 ? undefined : unescaped(xml.slice(from, to));
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex: string, decimal: string, name: string) => {
    if (name !== undefined) return entities[name] ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}

function decodedUrl(key: string): string {
  return /[%+]/.test(key) ? decodeURIComponent(key.replaceAll('+', ' ')) : key;
}

function indexOr(text: string, part: string, otherwise: number, from = 0): number {
  const at = text.indexOf(part, from);
  return at < 0 ? otherwise : at;
}
