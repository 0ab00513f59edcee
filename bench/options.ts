import { parseArgs } from 'node:util';
import { OperatorError } from '../src/lib/errors.ts';

export interface BenchOptions {
  /** As pgbench: about 15 MB each. */
  readonly scale: number;
  readonly rounds: number;
  /** WAL segments archived in each round. */
  readonly segments: number;
  /** Calls of each archive_command and restore_command. */
  readonly calls: number;
  /** Only what becomes of WAL. */
  readonly wal: boolean;
  readonly json: boolean;
}

export function parseOptions(argv: readonly string[]): BenchOptions {
  const options = {
    scale: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    segments: { type: 'string', default: '16' },
    calls: { type: 'string', default: '40' },
    wal: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  } as const;
  const { values } = parseArgs({ args: [...argv], options });
  const { scale, rounds, segments, calls, wal, json } = values;
  return { scale: count(scale), rounds: count(rounds), segments: count(segments), calls: count(calls), wal, json };
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new OperatorError('usage', `${text} is not a positive whole number`, {
    hint: 'Usage: npm run bench -- [--scale 20] [--rounds 3] [--segments 16] [--calls 40] [--wal] [--json]',
  });
}
