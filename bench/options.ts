import { parseArgs } from 'node:util';
import { OperatorError } from '../src/lib/errors.ts';
import type { DataSize } from './cluster.ts';
import { type FlavourName, flavours } from './flavour.ts';

export const works = ['backup', 'restore', 'wal', 'recover', 'receive', 'commands', 'profile'] as const;
export type Work = (typeof works)[number];

export interface BenchOptions extends DataSize {
  readonly rounds: number;
  /** Rounds of base backups and restores with an empty page cache. */
  readonly coldRounds: number;
  /** WAL segments in each round. */
  readonly segments: number;
  /** Calls of each archive_command and restore_command. */
  readonly calls: number;
  readonly only: ReadonlySet<Work>;
  readonly packed: readonly FlavourName[];
  /** Where the results go as JSON. */
  readonly json: string | undefined;
}

const defaults = {
  scale: '20',
  tables: '3000',
  rounds: '5',
  'cold-rounds': '2',
  segments: '32',
  calls: '40',
  only: works.join(','),
  packed: Object.keys(flavours).join(','),
};
const usage = `Usage: npm run bench -- ${Object.entries(defaults)
  .map(([name, value]) => `[--${name} ${value}]`)
  .join(' ')} [--json FILE]`;

export function parseOptions(argv: readonly string[]): BenchOptions {
  const names = [...Object.keys(defaults), 'json'];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const values: Readonly<Record<string, string | undefined>> = { ...defaults, ...parseArgs({ args: [...argv], options }).values };
  const count = (name: keyof typeof defaults, min = 1) => countOf(values[name] ?? '', min);
  return {
    scale: count('scale'),
    tables: count('tables', 0),
    rounds: count('rounds'),
    coldRounds: count('cold-rounds', 0),
    segments: count('segments'),
    calls: count('calls'),
    packed: (values['packed'] ?? '').split(',').map((text) => oneOf(Object.keys(flavours) as FlavourName[], text)),
    only: new Set((values['only'] ?? '').split(',').map((text) => oneOf(works, text))),
    json: values['json'],
  };
}

function countOf(text: string, min: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min) return value;
  throw new OperatorError('usage', `${text} is not a whole number of at least ${min}`, { hint: usage });
}

function oneOf<Name extends string>(names: readonly Name[], text: string): Name {
  const name = names.find((known) => known === text);
  if (name !== undefined) return name;
  throw new OperatorError('usage', `${text} is none of ${names.join(', ')}`, { hint: usage });
}
