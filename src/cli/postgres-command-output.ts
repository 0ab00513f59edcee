import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What the server says of the bytes it sends. */
export interface PromisedContent {
  readonly bytes: number;
  readonly hash: string;
  /** As node:crypto names it. */
  readonly hashAlgorithm: string;
}

/** Other bytes came than were promised. */
export class ContentError extends Error {
  override readonly name = 'ContentError';
}

/** Writes the bytes to `path`, whole and verified or not at all. Rejects with {@link ContentError}, with what `content` throws, or as node:fs does. */
export async function writeOutput(path: string, content: AsyncIterable<Uint8Array>, promised: PromisedContent): Promise<void> {
  await removeLeftovers(path);
  const temporary = `${path}.${process.pid}${temporarySuffix}`;
  const onTerminate = () => {
    rmSync(temporary, { force: true });
    process.kill(process.pid, 'SIGTERM');
  };
  process.once('SIGTERM', onTerminate);
  try {
    await writeVerified(temporary, content, promised);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    process.off('SIGTERM', onTerminate);
  }
}

const temporarySuffix = '.pghoard.tmp';

async function writeVerified(path: string, content: AsyncIterable<Uint8Array>, promised: PromisedContent): Promise<void> {
  const hash = createHash(promised.hashAlgorithm);
  let bytes = 0;
  await using file = await open(path, 'wx', 0o600);
  for await (const chunk of content) {
    hash.update(chunk);
    bytes += chunk.length;
    await file.writeFile(chunk);
  }
  if (bytes !== promised.bytes) throw new ContentError(`${bytes} bytes came instead of ${promised.bytes}`);
  if (hash.digest('hex') !== promised.hash) throw new ContentError('the bytes were damaged on their way');
  await file.sync();
}

/** PostgreSQL may kill this command, or its sister in bash, at any time; what it was writing then is removed by the next one. */
async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix) || !name.endsWith(temporarySuffix)) continue;
    const pid = /^(\d+)(-\d+)?$/.exec(name.slice(prefix.length, -temporarySuffix.length))?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dirname(path), name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
