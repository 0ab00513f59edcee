import type { PlanRefusalDocument, RestorePlanDocument } from '../../src/daemon/http/api.ts';
import { type Child, h } from '../dom.ts';
import { formatBytes, formatDuration, msOf, plural } from '../format.ts';
import { momentOf } from '../sections/moment.ts';

type Plan = RestorePlanDocument;
type Commit = NonNullable<Plan['commits']['before']>;

/** What a restore would do, and what it comes to. */
export function planOf(plan: Plan): HTMLElement[] {
  const { basebackup, commits, objects, warnings } = plan;
  return [
    h(
      'dl',
      { class: 'facts plan' },
      ...row('Base backup', basebackup.name, basebackup.because),
      ...row('WAL', ...walOf(plan)),
      ...row('To fetch', formatBytes(plan.fetch.total_bytes), writtenOf(plan)),
      ...row('Takes', ...durationOf(plan)),
      ...row('Last commit that it has', commitOf(commits.before), commits.is_exact ? null : commits.because),
      ...row('First that it has not', commitOf(commits.after), null),
      ...row('In the store', ...thereOf(objects)),
    ),
    ...(warnings.length === 0 ? [] : [h('ul', { class: 'warnings' }, ...warnings.map((warning) => h('li', {}, warning)))]),
  ];
}

/** Why there is no plan. */
export function refusalOf({ message, causes, hint }: PlanRefusalDocument): HTMLElement[] {
  return [
    h('p', {}, h('strong', {}, 'It cannot be restored: '), message),
    ...causes.map((cause) => h('p', { class: 'quiet' }, cause)),
    ...(hint === null ? [] : [h('p', { class: 'quiet' }, hint)]),
  ];
}

function walOf({ wal, timeline }: Plan): [string, string | null] {
  if (wal.segments === 0) return ['none', null];
  const path = timeline.path.length > 1 ? `, over timelines ${timeline.path.map((each) => each.timeline).join(', ')}` : '';
  return [`${plural(wal.segments, 'segment')}, ${formatBytes(wal.stored_bytes)}`, `${wal.first_segment} to ${wal.last_segment}${path}`];
}

function writtenOf({ write }: Plan): string | null {
  if (write.bytes === null) return null;
  return `${formatBytes(write.bytes)}${write.files === null ? '' : ` in ${plural(write.files, 'file')}`} are written`;
}

function durationOf({ duration }: Plan): [string, string] {
  const { restore_seconds: restore, recovery_seconds: recovery, total_seconds: total, because } = duration;
  if (total === null) return [`recovery ${rangeOf(recovery)}, and the restore before it`, because];
  const parts = restore === null ? '' : ` (restore ${rangeOf(restore)}, recovery ${rangeOf(recovery)})`;
  return [`${rangeOf(total)}${parts}`, because];
}

function rangeOf({ from, to }: { readonly from: number; readonly to: number }): string {
  const [least, most] = [formatDuration(from), formatDuration(to)];
  return least === most ? most : `${least} to ${most}`;
}

function commitOf(commit: Commit | null): Child {
  if (commit === null) return 'not known';
  const ms = msOf(commit.time);
  return h(
    'span',
    {},
    ...(ms === undefined ? [] : [momentOf(ms), ', ']),
    `${commit.lsn}${commit.xid === null ? '' : `, transaction ${commit.xid}`}`,
  );
}

function thereOf({ is_complete: isComplete, checked, missing, more_missing: more }: Plan['objects']): [Child, string | null] {
  if (isComplete) return [`all ${plural(checked, 'object')} that it needs are there`, null];
  const named = missing.slice(0, 5).map(({ first, last, objects }) => (objects === 1 ? first : `${first} to ${last}`));
  const count = missing.reduce((sum, { objects }) => sum + objects, 0) + more;
  return [h('strong', {}, `${plural(count, 'object')} missing`), named.join('; ')];
}

function row(name: string, value: Child, because: string | null): HTMLElement[] {
  return [h('dt', {}, name), h('dd', {}, value, because === null || because === '' ? null : h('span', { class: 'quiet' }, ' ', because))];
}
