import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import type { ApiRequest } from './api-request.ts';
import { createdReply, type Reply } from './reply.ts';
import { openReservedTarget, type ReservedTarget } from './reserved-target.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { confineTargetPath } from './target-path.ts';
import { within } from './within.ts';

/**
 * `GET /SITE/archive/NAME` (restore_command). The original's client names a path on this host in `x-pghoard-target-path` and gets 201 once the
 * file is there. So does our own where it can make a file there that the daemon sees (`x-pghoard-target-reserved`); elsewhere it accepts
 * `application/octet-stream` and gets the bytes.
 *
 * A server gets the beginning of a segment that is not stored whole, unless it has a file of that name itself: PostgreSQL would put what it gets
 * in its place, and its own may reach further. A client that gets bytes has to say that there is none (`x-pghoard-accept-unfinished`).
 */
export async function getArchive(site: SiteServices, name: string, request: ApiRequest, limits: WaitLimits): Promise<Reply> {
  const wantsBytes = /\bapplication\/octet-stream\b/i.test(request.header('accept') ?? '');
  if (request.header('x-pghoard-target-path') === undefined && !wantsBytes) {
    throw new OperatorError('request-invalid', 'x-pghoard-target-path header missing from download', {
      hint: 'Or ask for the bytes with "Accept: application/octet-stream".',
    });
  }
  await using place = await targetOf(site, name, request);
  const path = place?.path;
  const unfinished =
    path === undefined ? request.header('x-pghoard-accept-unfinished') === 'yes' : !(await isThere(join(dirname(path), name)));
  const wal = await within(limits.restoreWaitMsMax, request.signal, `fetching ${name}`, (signal) =>
    site.fetcher.fetch(name, signal, { unfinished }),
  );
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

/** Undefined where the client wants the bytes. */
async function targetOf(site: SiteServices, name: string, request: ApiRequest): Promise<ReservedTarget | undefined> {
  const target = request.header('x-pghoard-target-path');
  if (target === undefined) return undefined;
  if (request.header('x-pghoard-target-reserved') !== undefined) return openReservedTarget(target);
  const path = await confineTargetPath(target, name, await site.walDirectory());
  return { path, [Symbol.asyncDispose]: async () => {} };
}

/** What cannot be seen may be there. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => systemErrorCode(error) !== 'ENOENT',
  );
}
