import type { HealthDocument } from '../daemon/health/health-document.ts';
import { inUnits } from '../lib/bytes-in-words.ts';
import { durationInWords } from '../lib/time-in-words.ts';

type Verification = NonNullable<HealthDocument['verification']>;

const toldMax = 3;

/** What has been read again, a line each. `at`: when it was so; `later`: so many seconds have passed since. */
export function verificationTexts(found: Verification, at: string, later: number): readonly string[] {
  const { newest_at: newest, oldest_at: oldest, basebackups, segments } = found;
  if (newest === null || oldest === null) return ['never: pghoard verify reads again what is stored'];
  const ago = (moment: string) => `${durationInWords(Math.max(0, Math.round((Date.parse(at) - Date.parse(moment)) / 1000)) + later)} ago`;
  const parts = [
    ...(basebackups === null
      ? []
      : [
          `${basebackups.sound} of ${basebackups.stored} base backups (${inUnits(basebackups.sound_bytes)} of ${inUnits(basebackups.stored_bytes)})`,
        ]),
    ...(segments === null ? [] : [`${segments.sound} of ${segments.stored} WAL segments`]),
  ];
  const age = newest === oldest ? '' : `, what was read longest ago ${ago(oldest)}`;
  return [`last ${ago(newest)}${age}; sound: ${parts.join(', ')}`, ...findingTexts(found)];
}

function findingTexts({ findings, findings_count: count }: Verification): readonly string[] {
  const told = findings.slice(0, toldMax).map(({ severity, code, object, because }) => {
    return `${severity === 'damaged' ? 'DAMAGED' : 'warning'}: ${object}: ${because} (${code})`;
  });
  return count > told.length ? [...told, `and ${count - told.length} more`] : told;
}
