import { z } from 'zod';
import { OperatorError } from '../lib/errors.ts';
import type { DaemonClient } from './daemon-client.ts';

const answerSchema = z.object({
  confirmation: z.object({ digest: z.string(), because: z.string(), basebackups: z.array(z.string()) }).nullable(),
});

export type WaitingDeletion = NonNullable<z.output<typeof answerSchema>['confirmation']>;

/** Has a running daemon delete what waits for it, or only what has this digest. Rejects with `retention-not-pending` where that does not wait. */
export async function confirmDeletion(daemon: DaemonClient, site: string, digest: string | undefined): Promise<WaitingDeletion> {
  const waiting = await waitingDeletion(daemon, site);
  if (waiting === null || (digest !== undefined && digest !== waiting.digest)) throw notPending(site, digest, waiting);
  const answer = await daemon.ask('PUT', site, 'retention', 'confirm', waiting.digest);
  if (answer.isFromPghoard && answer.status === 201) return waiting;
  throw daemon.refusal('take the confirmation', answer, String(answer.headers['x-pghoard-code'] ?? 'daemon-refused'));
}

async function waitingDeletion(daemon: DaemonClient, site: string): Promise<WaitingDeletion | null> {
  const what = 'tell what waits for a confirmation';
  const answer = await daemon.ask('GET', site, 'retention');
  if (!answer.isFromPghoard) throw daemon.strangerError(what, answer);
  if (answer.status !== 200) throw daemon.refusal(what, answer);
  return answerSchema.parse(JSON.parse(answer.text)).confirmation;
}

function notPending(site: string, digest: string | undefined, waiting: WaitingDeletion | null): OperatorError {
  if (waiting === null) return new OperatorError('retention-not-pending', `site ${site}: no deletion waits for a confirmation`);
  return new OperatorError('retention-not-pending', `site ${site}: ${digest} is not what waits for a confirmation`, {
    hint: `It is ${waiting.digest}: ${waiting.because}. Look at it with "pghoard retention --site ${site} --dry-run".`,
  });
}
