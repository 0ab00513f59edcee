import { inUnits } from '../lib/bytes-in-words.ts';
import { durationInWords } from '../lib/time-in-words.ts';
import type { RestorePlanDocument } from '../restore/plan/restore-plan-document.ts';

type Commit = NonNullable<RestorePlanDocument['commits']['before']>;
type Range = RestorePlanDocument['duration']['recovery_seconds'];
type Directory = RestorePlanDocument['directories'][number];

const nameWidth = 14;

/** A plan for people: one screen. */
export function planText(plan: RestorePlanDocument): string {
  const { basebackup, wal, fetch, write, duration, objects, commits, settings, warnings } = plan;
  const rows: (readonly [name: string, lines: readonly string[]])[] = [
    ['target', targetLines(plan)],
    [
      'base backup',
      [
        `${basebackup.name}: ${basebackup.because}`,
        `taken from ${basebackup.start} to ${basebackup.end ?? 'nobody noted when'}${basebackup.pg_major === null ? '' : `, PostgreSQL ${basebackup.pg_major}`}`,
      ],
    ],
    ['timeline', [timelineText(plan)]],
    ['WAL', [wal.segments === 0 ? 'none' : `${wal.segments} segments, ${wal.first_segment} to ${wal.last_segment}`]],
    ['last commit', [commits.before === null ? 'not known' : commitText(commits.before)]],
    ['not any more', [commits.after === null ? 'nothing that is known' : commitText(commits.after)]],
    ['', commits.because === null ? [] : [commits.because]],
    ['fetch', [`${inUnits(fetch.total_bytes)}: base backup ${inUnits(fetch.basebackup_bytes)}, WAL ${inUnits(fetch.wal_bytes)}`]],
    ['write', [write.bytes === null ? 'not known' : `${inUnits(write.bytes)}${write.files === null ? '' : ` in ${write.files} files`}`]],
    ['space', plan.directories.map(directoryText)],
    ['takes', durationLines(duration)],
    ['objects', objectLines(objects)],
  ];
  return [
    `Restore plan of site ${plan.site}`,
    ...rows.flatMap(([name, lines]) => lines.map((line, index) => `  ${(index === 0 ? name : '').padEnd(nameWidth)} ${line}`)),
    ...(settings === null ? [] : ['', `Into ${settings.file}${settings.signal_file === null ? '' : `, beside ${settings.signal_file}`}:`]),
    ...(settings === null
      ? []
      : settings.text
          .trimEnd()
          .split('\n')
          .map((line) => `  ${line}`)),
    ...(warnings.length === 0 ? [] : ['']),
    ...warnings.map((warning) => `WARNING: ${warning}`),
    '',
    'To carry it out:',
    `  ${plan.command}`,
    '',
  ].join('\n');
}

function targetLines({ target }: RestorePlanDocument): readonly string[] {
  const { kind, value, is_exclusive: isExclusive, in_zones: zones } = target;
  const before = isExclusive ? 'just before ' : '';
  if (kind === 'latest') return ['the end of the WAL that is stored'];
  if (kind === 'immediate') return ['the moment at which the base backup ended'];
  if (kind !== 'time') return [`${before}${kind} ${value}`];
  return zones.map((zone, index) => (index === 0 ? before + zone : zone));
}

function timelineText({ timeline: { target, path } }: RestorePlanDocument): string {
  const switches = path.slice(1).map(({ timeline, from_lsn: from }) => `, from ${from} on ${timeline}`);
  const [first] = path;
  return first === undefined ? String(target) : `${first.timeline} from ${first.from_lsn}${switches.join('')}`;
}

function commitText({ time, lsn, xid }: Commit): string {
  return `${time}, ${lsn}${xid === null ? '' : `, transaction ${xid}`}`;
}

function directoryText({ purpose, name, path, needed_bytes_min: min, needed_bytes_max: max, free_bytes: free }: Directory): string {
  const what = purpose === 'data' ? 'data directory' : purpose === 'wal' ? 'pg_wal' : `tablespace ${name}`;
  const needed =
    max === null ? 'not known' : min === max ? inUnits(max) : min === null ? `up to ${inUnits(max)}` : `${inUnits(min)} to ${inUnits(max)}`;
  return `${what}${path === null ? '' : ` (${path})`}: ${needed}${free === null ? '' : `, free ${inUnits(free)}`}`;
}

function durationLines({
  restore_seconds: restore,
  recovery_seconds: recovery,
  total_seconds: total,
  because,
}: RestorePlanDocument['duration']) {
  const parts =
    restore === null ? `recovery ${rangeText(recovery)}` : `restore ${rangeText(restore)}, then recovery ${rangeText(recovery)}`;
  return [total === null ? parts : `${rangeText(total)}: ${parts}`, ...because.split('; ')];
}

function rangeText({ from, to }: Range): string {
  return from === to ? durationInWords(to) : `${durationInWords(from)} to ${durationInWords(to)}`;
}

function objectLines({ is_complete: isComplete, checked, missing, more_missing: more }: RestorePlanDocument['objects']): readonly string[] {
  if (isComplete) return [`all ${checked} are there`];
  const runs = missing.map(({ kind, first, last, objects }) =>
    objects === 1 ? `missing: ${kind} ${first}` : `missing: ${kind} ${first} to ${last} (${objects})`,
  );
  return [...runs, ...(more === 0 ? [] : [`and ${more} more`])];
}
