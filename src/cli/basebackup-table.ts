import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Metadata } from '../storage/object-store.ts';

const mebibyte = 1024 * 1024;
const columns = { name: 40, size: 11, plainSize: 11, startTime: 20 };

/** A list of base backups as scripts have parsed it since the first version: fixed columns, ascending names. */
export function basebackupTable(caption: string, entries: readonly BasebackupEntry[], options: { verbose: boolean }): string {
  const rule = [columns.name, columns.size, columns.plainSize, columns.startTime].map((width) => '-'.repeat(width)).join('  ');
  const rows = entries
    .toSorted(byKey)
    .flatMap((entry) => (options.verbose ? [rowOf(entry), metadataLine(entry.metadata)] : [rowOf(entry)]));
  return [`${caption} `, '', row('Basebackup', 'Backup size', 'Orig size', 'Start time'), rule, ...rows, ''].join('\n');
}

function rowOf(entry: BasebackupEntry): string {
  const plainSize = entry.plainSize ? inMegabytes(entry.plainSize) : 'n/a';
  return row(entry.key, inMegabytes(entry.storedSize), plainSize, `${entry.startTime.toISOString().slice(0, 19)}Z`);
}

function row(name: string, size: string, plainSize: string, startTime: string): string {
  return [
    name.padEnd(columns.name),
    size.padStart(columns.size),
    plainSize.padStart(columns.plainSize),
    startTime.padEnd(columns.startTime),
  ].join('  ');
}

function inMegabytes(bytes: number): string {
  return `${Math.floor(bytes / mebibyte)} MB`;
}

/** As Python prints a dict of strings. */
function metadataLine(metadata: Metadata): string {
  const items = Object.entries(metadata).filter(([name]) => name !== 'start-time');
  return `    metadata: {${items.map(([name, value]) => `${pythonString(name)}: ${pythonString(value)}`).join(', ')}}`;
}

function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return `${quote}${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll(quote, `\\${quote}`)}${quote}`;
}

function byKey(a: BasebackupEntry, b: BasebackupEntry): number {
  return a.key < b.key ? -1 : Number(a.key > b.key);
}
