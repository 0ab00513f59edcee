import fs, { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded into a real daemon (`NODE_OPTIONS=--import`): while `PGHOARD_TEST_DEAD_PIPE` is there, whatever it wants to do below `PGHOARD_TEST_DEAD_DISK` waits in the kernel, as for
 * an NFS server that is gone, with one of Node's few threads: namely for somebody who writes to that pipe.
 */
const disk = process.env['PGHOARD_TEST_DEAD_DISK'] ?? '';
const pipe = process.env['PGHOARD_TEST_DEAD_PIPE'] ?? '';

const { open } = fs.promises;

for (const name of ['open', 'opendir', 'readdir', 'stat', 'lstat', 'readFile', 'mkdir', 'rename', 'link', 'rm'] as const) {
  const original = fs.promises[name] as (...args: unknown[]) => Promise<unknown>;
  const delayed = async (...args: unknown[]) => {
    if (String(args[0]).startsWith(disk) && existsSync(pipe)) await (await open(pipe, 'r')).close();
    return original(...args);
  };
  Object.assign(fs.promises, { [name]: delayed });
}
syncBuiltinESMExports();
