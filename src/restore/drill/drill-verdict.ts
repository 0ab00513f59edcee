import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import { explain, isOperatorError } from '../../lib/errors.ts';
import type { DrillCheck } from './drill-checks.ts';

/** What speaks against the backup or its WAL. Everything else speaks of this machine, or of this moment. */
const ofBackup = [
  'basebackup-incomplete',
  'basebackup-missing',
  'basebackup-unreadable',
  'cluster-mismatch',
  'delta-file-missing',
  'delta-index-damaged',
  'drill-failed',
  'object-corrupt',
  'object-incomplete',
  'object-missing',
  'object-unreadable',
  'tablespace-missing',
  'tar-corrupt',
  'tar-unsafe',
];

/**
 * What a drill has shown. `error`: why it did not come to its end. A server that did not get its WAL fails as one whose WAL is bad: where the daemon does not answer (`askDaemon` rejects),
 * that shows nothing.
 */
export async function verdictOf(
  error: unknown,
  checks: readonly DrillCheck[],
  askDaemon: () => Promise<unknown>,
): Promise<Pick<DrillEvidence, 'result' | 'because'>> {
  if (error === undefined) {
    const failed = checks.filter(({ result }) => result === 'failed').map(({ name, because }) => `${name}: ${because}`);
    return failed.length === 0 ? { result: 'passed', because: null } : { result: 'failed', because: failed.join('; ') };
  }
  const because = explain(error);
  if (!isOperatorError(error, ...ofBackup)) return { result: 'impossible', because };
  if (!isOperatorError(error, 'drill-failed')) return { result: 'failed', because };
  try {
    await askDaemon();
    return { result: 'failed', because };
  } catch (reason) {
    return { result: 'impossible', because: `${because}\n${explain(reason)}` };
  }
}
