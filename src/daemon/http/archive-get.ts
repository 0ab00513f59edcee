import { OperatorError } from '../../lib/errors.ts';
import type { ApiRequest } from './api-request.ts';
import { createdReply, type Reply } from './reply.ts';
import { checkReservedTarget } from './reserved-target.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { confineTargetPath } from './target-path.ts';
import { within } from './within.ts';

/**
 * `GET /SITE/archive/NAME` (restore_command). The original's client names a path on this host in `x-pghoard-target-path` and gets 201 once the
 * file is there. So does our own where it can make a file there that the daemon sees (`x-pghoard-target-reserved`); elsewhere it accepts
 * `application/octet-stream` and gets the bytes.
 */
export async function getArchive(site: SiteServices, name: string, request: ApiRequest, limits: WaitLimits): Promise<Reply> {
  const target = request.header('x-pghoard-target-path');
  const wantsBytes = /\bapplication\/octet-stream\b/i.test(request.header('accept') ?? '');
  if (target === undefined && !wantsBytes) {
    throw new OperatorError('request-invalid', 'x-pghoard-target-path header missing from download', {
      hint: 'Or ask for the bytes with "Accept: application/octet-stream".',
    });
  }
  const isReserved = request.header('x-pghoard-target-reserved') !== undefined;
  const place = async (path: string) => (isReserved ? checkReservedTarget(path) : confineTargetPath(path, name, await site.walDirectory()));
  const path = target === undefined ? undefined : await place(target);
  const wal = await within(limits.restoreWaitMsMax, request.signal, `fetching ${name}`, (signal) => site.fetcher.fetch(name, signal));
  if (path !== undefined) {
    await wal.moveTo(path);
    return createdReply();
  }
  const headers = {
    'content-type': 'application/octet-stream',
    'x-pghoard-size': String(wal.bytes),
    'x-pghoard-hash': wal.hash,
    'x-pghoard-hash-algorithm': wal.hashAlgorithm,
  };
  return { status: 200, headers, body: { path: wal.path, bytes: wal.bytes, done: () => wal.release() } };
}
