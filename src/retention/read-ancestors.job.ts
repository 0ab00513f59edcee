import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import { parseTimelineHistory } from '../postgres/timeline-history.ts';

/** The timelines from which one descends, by its stored history. */
export const readAncestors = defineJob(
  import.meta.url,
  'readAncestors',
  async (history: StoredObject, { signal }): Promise<readonly number[]> => {
    const pieces: Buffer[] = [];
    await readStoredObject(history, (bytes) => void pieces.push(Buffer.from(bytes)), { signal });
    return parseTimelineHistory(Buffer.concat(pieces).toString('utf8')).map(({ timeline }) => timeline);
  },
);
