import { z } from 'zod';
import { type BasebackupEntry, parseBasebackupEntry } from '../catalog/basebackup-entry.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import type { DaemonClient } from './daemon-client.ts';

const answerSchema = z.object({
  basebackups: z.array(
    z.object({
      name: z.string(),
      size: z.number().default(0),
      last_modified: z.string().default('1970-01-01T00:00:00Z'),
      metadata: z.record(z.string(), z.string()).default({}),
    }),
  ),
  /** Left out by the original. */
  unreadable: z.array(z.object({ key: z.string(), why: z.string() })).default([]),
});

/** Asks a running daemon for the base backups of a site. Entries that cannot be read are told to `warn` and left out. */
export async function basebackupsOverHttp(daemon: DaemonClient, site: string, warn: (message: string) => void): Promise<BasebackupEntry[]> {
  const answer = await daemon.ask('GET', site, 'basebackup');
  if (answer.status !== 200) throw daemon.refusal('list base backups', answer);
  const { basebackups, unreadable } = parseAnswer(answer.text, daemon.name);
  for (const { key, why } of unreadable) warn(`${key} is left out: ${why}`);
  return basebackups.flatMap(({ name, size, last_modified, metadata }) => {
    try {
      return [parseBasebackupEntry({ key: name, size, lastModified: new Date(last_modified), metadata })];
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      warn(`${name} is left out: ${messageOf(error)}`);
      return [];
    }
  });
}

function parseAnswer(body: string, where: string): z.output<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(body));
  } catch (error) {
    throw new OperatorError('daemon-answer-invalid', `${where} gave an answer that is no list of base backups`, {
      cause: error,
      hint: 'Check --host and --port: something else may listen there.',
    });
  }
}
