import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { type BasebackupEntry, parseBasebackupEntry } from '../catalog/basebackup-entry.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';

export interface DaemonAddress {
  readonly host: string;
  readonly port: number;
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
}

const answerWithinMs = 60_000;

const answerSchema = z.object({
  basebackups: z.array(
    z.object({
      name: z.string(),
      size: z.number().default(0),
      last_modified: z.string().default('1970-01-01T00:00:00Z'),
      metadata: z.record(z.string(), z.string()).default({}),
    }),
  ),
});

/** Asks a running daemon for the base backups of a site. Entries that cannot be read are told to `warn` and left out. */
export async function basebackupsOverHttp(
  daemon: DaemonAddress,
  site: string,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<BasebackupEntry[]> {
  const where = `pghoard at ${daemon.host}:${daemon.port}`;
  const { status, body } = await get(daemon, `/${encodeURIComponent(site)}/basebackup`, where, signal);
  if (status === 401)
    throw refused(
      where,
      'it wants other credentials',
      'Give --username and --password, or --config with webserver_username and webserver_password.',
    );
  if (status !== 200) throw refused(where, `it answered ${status}: ${body.trim().slice(0, 200)}`, 'Check --site, --host and --port.');
  return parseAnswer(body, where).flatMap(({ name, size, last_modified, metadata }) => {
    try {
      return [parseBasebackupEntry({ key: name, size, lastModified: new Date(last_modified), metadata })];
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      warn(`${name} is left out: ${messageOf(error)}`);
      return [];
    }
  });
}

function parseAnswer(body: string, where: string): z.output<typeof answerSchema>['basebackups'] {
  try {
    return answerSchema.parse(JSON.parse(body)).basebackups;
  } catch (error) {
    throw new OperatorError('daemon-answer-invalid', `${where} gave an answer that is no list of base backups`, {
      cause: error,
      hint: 'Check --host and --port: something else may listen there.',
    });
  }
}

async function get(daemon: DaemonAddress, path: string, where: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
  try {
    const response = await answerTo(daemon, path, AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]));
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch (error) {
    signal.throwIfAborted();
    throw new OperatorError('daemon-unreachable', `${where} cannot be reached`, {
      cause: error,
      retryable: true,
      hint: 'Start the daemon, or list the store itself with "pghoard_restore list-basebackups".',
    });
  }
}

function answerTo({ host, port, credentials }: DaemonAddress, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const auth = credentials && `${credentials.username}:${credentials.password}`;
    request({ host, port, path, signal, agent: false, ...(auth && { auth }) }, resolve)
      .on('error', reject)
      .end();
  });
}

function refused(where: string, why: string, hint: string): OperatorError {
  return new OperatorError('daemon-refused', `${where} did not list base backups: ${why}`, { hint });
}
