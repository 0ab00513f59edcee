import type { DataSize } from '../cluster.ts';
import type { Machine } from '../machine.ts';
import { type Profile, stepTable, threadTable } from '../profile/profile.ts';
import { type CommandRow, commandTable } from '../works/commands.ts';
import { recoveryTable } from './recovery-table.ts';
import type { Sample } from './sample.ts';
import type { Row } from './summary.ts';
import { plain, tableOf } from './tables.ts';

/** What `npm run bench -- --json FILE` writes, and what docs/performance.md is made from. */
export interface Results {
  readonly machine: Machine;
  readonly data: DataSize & { readonly bytes: number; readonly files: number };
  readonly threads: number;
  /** Version; absent where it is not installed. */
  readonly pgbackrest?: string;
  readonly rows: readonly Row[];
  readonly commands: readonly CommandRow[];
  readonly profiles: readonly Profile[];
  readonly samples: readonly Sample[];
}

/** For a terminal. */
export function render({ rows, commands, profiles }: Results): string {
  const tables = [tableOf(rows), recoveryTable(rows), commandTable(commands), stepTable(profiles), threadTable(profiles)];
  return tables
    .filter(({ lines }) => lines.length > 0)
    .map(plain)
    .join('\n\n');
}
