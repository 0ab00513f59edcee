import type { CommitsDocument, RestorePlanDocument } from '../src/daemon/http/api.ts';

/** What a daemon would answer for the pictures: commits of office hours, and the plan of a restore to the second that is asked for. */
export function commitsFor(site: string, query: URLSearchParams): CommitsDocument {
  const [fromMs, toMs, buckets] = [Date.parse(`${query.get('from')}`), Date.parse(`${query.get('to')}`), Number(query.get('buckets'))];
  const minutes = Math.ceil((toMs - fromMs) / 60_000 / buckets);
  const commits = Array.from({ length: Math.ceil((toMs - fromMs) / 60_000 / minutes) }, (_, bucket) => {
    const at = new Date(fromMs + bucket * minutes * 60_000);
    const busy = Math.max(0.08, Math.sin(((at.getUTCHours() + at.getUTCMinutes() / 60 - 5) / 15) * Math.PI));
    const weekend = at.getUTCDay() % 6 === 0 ? 0.35 : 1;
    return Math.round(minutes * 900 * busy * weekend * (0.85 + ((bucket * 7919) % 97) / 320));
  });
  return {
    site,
    at: new Date(toMs).toISOString(),
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    bucket_seconds: minutes * 60,
    timelines: [{ timeline: 2, commits, aborts: commits.map(() => 0) }],
    restore_points: [],
    is_complete: true,
    because: null,
  };
}

export function planFor(site: string, query: URLSearchParams): RestorePlanDocument {
  const ms = Date.parse(`${query.get('time')}`);
  const at = (seconds: number) => new Date(ms + seconds * 1000).toISOString();
  const text = at(0).slice(0, 19).replace('T', ' ');
  const name = `${at(-40_000).slice(0, 10)}_02-00_0`;
  return {
    site,
    at: at(60),
    target: { kind: 'time', value: at(0), is_exclusive: false, in_zones: [] },
    basebackup: {
      name,
      key: `${site}/basebackup/${name}`,
      because: 'the newest that ended before it: least WAL has to be replayed',
      start: at(-40_600),
      end: at(-40_000),
      stored_bytes: 7.1e9,
      plain_bytes: 21.4e9,
      files: 12_804,
      pg_major: '17',
    },
    timeline: { target: 2, path: [{ timeline: 2, from_lsn: '2/5A000028', to_lsn: null }] },
    wal: {
      first_segment: '00000002000000020000005A',
      last_segment: '000000020000000200000097',
      segments: 62,
      stored_bytes: 3.9e8,
      plain_bytes: 62 * 2 ** 24,
    },
    commits: {
      before: { time: at(-0.4), lsn: '2/97A3C1F0', timeline: 2, xid: '8120445' },
      after: { time: at(1.2), lsn: '2/97A3D8A8', timeline: 2, xid: '8120446' },
      is_exact: true,
      because: null,
    },
    fetch: { basebackup_bytes: 7.1e9, wal_bytes: 3.9e8, total_bytes: 7.49e9 },
    write: { bytes: 21.4e9, files: 12_804 },
    directories: [],
    duration: {
      restore_seconds: { from: 95, to: 160 },
      recovery_seconds: { from: 25, to: 60 },
      total_seconds: { from: 120, to: 220 },
      measured_by: 'drills',
      because: 'as fast as the last 4 restore drills',
    },
    settings: null,
    objects: { is_complete: true, checked: 139, missing: [], more_missing: 0 },
    command: `pghoard_restore get-basebackup --config /etc/pghoard.json --site ${site} --basebackup ${name} --target-dir DIRECTORY --restore-to-primary --recovery-target-time '${text}+00:00'`,
    warnings: [],
  };
}
