import { join } from 'node:path';
import { OperatorError } from '../../lib/errors.ts';
import type { ApiRequest } from './api-request.ts';
import { createdReply, type Reply } from './reply.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { within } from './within.ts';

/** `PUT /SITE/archive/NAME` (archive_command): 201 once the file is whole in the store. The daemon reads it from the server's WAL directory itself. */
export async function putArchive(site: SiteServices, name: string, request: ApiRequest, limits: WaitLimits): Promise<Reply> {
  const directory = await site.walDirectory();
  if (directory === undefined) {
    throw new OperatorError('wal-file-missing', `cannot archive ${name}: site ${site.name} has no WAL directory on this host`, {
      hint: 'Set pg_data_directory of the site to the data directory of the server that archives here.',
    });
  }
  await within(limits.archiveWaitMsMax, request.signal, `archiving ${name}`, (signal) =>
    site.archiver.archive(name, join(directory, name), signal),
  );
  return createdReply();
}
