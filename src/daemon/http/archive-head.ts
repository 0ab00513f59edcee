import { parseWalMetadata } from '../../catalog/wal-entry.ts';
import { OperatorError } from '../../lib/errors.ts';
import type { ApiRequest } from './api-request.ts';
import type { Reply } from './reply.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { within } from './within.ts';

/** `HEAD /SITE/archive/NAME`: whether a WAL file is stored, in this site or one that it was moved from, with the hash of its content. */
export async function headArchive(site: SiteServices, name: string, request: ApiRequest, limits: WaitLimits): Promise<Reply> {
  if (request.header('x-pghoard-target-path') !== undefined) {
    throw new OperatorError('request-invalid', 'x-pghoard-target-path header is only for GET');
  }
  return within(limits.lookWaitMsMax, request.signal, `looking for ${name}`, async (signal) => {
    for (const catalog of await site.relatives(signal)) {
      const found = await catalog.findWal(name, signal);
      if (found) return { status: 200, headers: hashHeaders(parseWalMetadata(found.metadata)), body: '' };
    }
    throw new OperatorError('wal-missing', `WAL ${name} of site ${site.name} is not stored`);
  });
}

function hashHeaders({ hash, hashAlgorithm }: ReturnType<typeof parseWalMetadata>): Record<string, string> {
  if (hash === undefined || hashAlgorithm === undefined) return {};
  return { 'metadata-hash': hash, 'metadata-hash-algorithm': hashAlgorithm };
}
