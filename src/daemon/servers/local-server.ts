import { isOperatorError } from '../../lib/errors.ts';
import { readControlFile } from '../../postgres/control-file.ts';
import { otherPostmaster, readPostmasterFile } from '../../postgres/postmaster-file.ts';
import type { UsableNode } from './troubles.ts';

/** The server that runs on a data directory; undefined where none of them is seen to. */
export async function findLocalServer(usable: readonly UsableNode[], dataDirectory: string): Promise<UsableNode | undefined> {
  try {
    const [{ systemIdentifier }, file] = await Promise.all([readControlFile(dataDirectory), readPostmasterFile(dataDirectory)]);
    if (file === undefined) return undefined;
    return usable.find(
      ({ sample: { postmaster, ...sample } }) =>
        sample.systemIdentifier === systemIdentifier && postmaster !== undefined && otherPostmaster(postmaster, file) === undefined,
    );
  } catch (error) {
    // Whoever reads the directory says what is wrong with it.
    if (isOperatorError(error)) return undefined;
    throw error;
  }
}
