import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import { parseTimelineHistory, type TimelineSwitch } from '../postgres/timeline-history.ts';

/** How a timeline descends from others, by its stored history. */
export const readHistory = defineJob(
  import.meta.url,
  'readHistory',
  async (history: StoredObject, { signal }): Promise<readonly TimelineSwitch[]> => {
    const pieces: Buffer[] = [];
    await readStoredObject(history, (bytes) => void pieces.push(Buffer.from(bytes)), { signal });
    return parseTimelineHistory(Buffer.concat(pieces).toString('utf8'));
  },
);
