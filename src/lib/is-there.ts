import { access } from 'node:fs/promises';

/** Whether there is anything under that name that can be found. */
export async function isThere(path: string, mode?: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
