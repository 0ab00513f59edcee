import { formatJson } from '../../lib/json.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import type { Catalog } from '../catalog.ts';
import type { DrillEvidence } from './drill-evidence.ts';
import { drillsMax } from './read-evidence.ts';
import type { VerifyEvidence } from './verify-evidence.ts';

/** Takes the place of what was found out of the same base backup or timeline before. */
export async function storeVerifyEvidence({ store, keys }: Catalog, evidence: VerifyEvidence, signal?: AbortSignal): Promise<void> {
  const key =
    evidence.kind === 'basebackup' ? keys.verifyEvidenceOfBasebackup(evidence.name) : keys.verifyEvidenceOfTimeline(evidence.timeline);
  await store.put(key, sourceOf(evidence), { metadata: {}, isShortLived: true, signal });
}

/** Beside the newest ones, what was shown long ago goes: nobody reads it any more. */
export async function storeDrillEvidence({ store, keys }: Catalog, evidence: DrillEvidence, signal?: AbortSignal): Promise<void> {
  await store.put(keys.drillEvidence(new Date(evidence.begun_at)), sourceOf(evidence), { metadata: {}, isShortLived: true, signal });
  const newest: string[] = [];
  for await (const { key } of store.list(keys.drillEvidencePrefix, { signal })) {
    newest.push(key);
    const oldest = newest.length > drillsMax ? newest.shift() : undefined;
    if (oldest !== undefined) await store.delete(oldest, { signal });
  }
}

function sourceOf(document: VerifyEvidence | DrillEvidence) {
  return sourceOfBytes(Buffer.from(formatJson(document)));
}
