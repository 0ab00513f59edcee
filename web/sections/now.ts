import type { HealthDocument } from '../../src/daemon/http/api.ts';
import { type Child, h } from '../dom.ts';
import { formatBytes, formatDuration, msOf, plural } from '../format.ts';
import { momentOf } from './moment.ts';

type Job = HealthDocument['jobs'][number];
type Verification = NonNullable<HealthDocument['verification']>;

/** What runs, what comes next, and how far everything is. */
export function nowOf(health: HealthDocument): HTMLElement[] {
  return [
    h('section', { 'aria-label': 'Running' }, h('h2', {}, 'Running'), ...jobsOf(health.jobs)),
    h('section', { 'aria-label': 'Next' }, h('h2', {}, 'Next'), nextOf(health)),
    h('section', { 'aria-label': 'State' }, h('h2', {}, 'State'), factsOf(health)),
  ];
}

function jobsOf(jobs: readonly Job[]): HTMLElement[] {
  if (jobs.length === 0) return [h('p', { class: 'quiet' }, 'Nothing runs now.')];
  return jobs.map((job) => h('div', { class: 'job' }, h('p', {}, h('strong', {}, job.kind), ` ${job.phase}`), ...progressOf(job)));
}

function progressOf({ kind, bytes_done: done, bytes_total: total, elapsed_seconds: elapsed, ends_at: ends }: Job): HTMLElement[] {
  const endsMs = msOf(ends);
  const share = total === null || total === 0 ? undefined : Math.min(1, done / total);
  const bar = h('progress', { 'aria-label': `Progress of the ${kind}`, ...(share !== undefined && { value: share.toFixed(3), max: 1 }) });
  const percent = share === undefined ? '' : ` of ${formatBytes(total ?? 0)}, ${Math.floor(share * 100)} %`;
  return [
    bar,
    h(
      'p',
      { class: 'quiet' },
      `${formatBytes(done)}${percent}, for ${formatDuration(elapsed)}`,
      ...(endsMs === undefined ? [] : [', until about ', momentOf(endsMs)]),
    ),
  ];
}

function nextOf({ next }: HealthDocument): HTMLElement {
  if (next.length === 0) return h('p', { class: 'quiet' }, 'Nothing is planned.');
  return h(
    'ul',
    { class: 'next' },
    ...next.map(({ what, at, because }) => {
      const atMs = msOf(at);
      return h(
        'li',
        {},
        h('strong', {}, what),
        ...(atMs === undefined ? [] : [' at ', momentOf(atMs)]),
        h('span', { class: 'quiet' }, ` ${because}`),
      );
    }),
  );
}

function factsOf({ wal_lag: lag, basebackups, spool, store, verification }: HealthDocument): HTMLElement {
  const lagText = [lag.bytes === null ? null : formatBytes(lag.bytes), lag.seconds === null ? null : formatDuration(lag.seconds)].filter(
    (text) => text !== null,
  );
  const stored =
    basebackups.count === null
      ? 'not known'
      : `${plural(basebackups.count, 'base backup')}, ${basebackups.restorable?.toLocaleString('en-GB') ?? 'an unknown number of them'} restorable`;
  const storeFailureMs = msOf(store.last_failure?.at);
  return h(
    'dl',
    { class: 'facts' },
    ...fact('WAL lag', lagText.length === 0 ? 'not known' : lagText.join(', '), lag.because),
    ...fact('Stored', stored, basebackups.bytes === null ? null : `${formatBytes(basebackups.bytes)} in base backups`),
    ...(verification === undefined ? [] : fact('Verified', verifiedOf(verification), findingsOf(verification))),
    ...fact(
      'Spool',
      spool.bytes === null ? 'not known' : `${plural(spool.files ?? 0, 'file')}, ${formatBytes(spool.bytes)}`,
      spool.because,
    ),
    ...fact('Store', store.reachable === null ? 'not known' : store.reachable ? 'reachable' : 'not reachable', store.because),
    ...(storeFailureMs === undefined ? [] : fact('Last failure', store.last_failure?.because ?? '', momentOf(storeFailureMs))),
  );
}

function verifiedOf({ newest_at: newest, basebackups, segments }: Verification): Child {
  const newestMs = msOf(newest);
  if (newestMs === undefined) return 'never';
  const parts = [
    ...(basebackups === null ? [] : [`${basebackups.sound} of ${plural(basebackups.stored, 'base backup')}`]),
    ...(segments === null ? [] : [`${segments.sound.toLocaleString('en-GB')} of ${plural(segments.stored, 'WAL segment')}`]),
  ];
  return h('span', {}, `${parts.join(' and ')} sound, last read `, momentOf(newestMs));
}

function findingsOf({ newest_at: newest, findings, findings_count: count }: Verification): Child {
  if (newest === null) return 'pghoard verify reads again what is stored';
  const [worst] = findings;
  if (worst === undefined) return 'nothing was found';
  const more = count > 1 ? `, and ${count - 1} more` : '';
  return `${worst.severity === 'damaged' ? 'Damaged' : 'Warning'}: ${worst.object}: ${worst.because}${more}`;
}

function fact(name: string, value: Child, because: Child): HTMLElement[] {
  return [h('dt', {}, name), h('dd', {}, value, because ? h('span', { class: 'quiet' }, ' ', because) : null)];
}
