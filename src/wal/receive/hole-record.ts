import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { systemErrorCode } from '../../lib/errors.ts';
import { formatJson } from '../../lib/json.ts';
import type { WalHole } from './receiver.ts';

/** Not the name of a WAL file, so that nobody else looks at it. */
const fileName = 'hole.json';

/** Remembers a hole until a base backup makes it harmless, over restarts too. */
export async function writeHole(directory: string, hole: WalHole): Promise<void> {
  await writeFileAtomic(join(directory, fileName), formatJson(hole));
}

/** What cannot be read is taken for a hole of which nothing is known but that it was there. */
export async function readHole(directory: string, now: Date): Promise<WalHole | undefined> {
  try {
    const { from, to, noticed } = JSON.parse(await readFile(join(directory, fileName), 'utf8')) as Record<string, unknown>;
    const time = new Date(String(noticed));
    return {
      from: typeof from === 'string' ? from : undefined,
      to: String(to),
      noticed: Number.isNaN(time.getTime()) ? now : time,
    };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    return { from: undefined, to: 'unknown', noticed: now };
  }
}

export async function forgetHole(directory: string): Promise<void> {
  await rm(join(directory, fileName), { force: true });
}
