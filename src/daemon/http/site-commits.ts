import { systemClock } from '../../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError } from '../../lib/errors.ts';
import type { WalHistory, WalHistoryFound } from '../../wal/index/wal-history.ts';
import type { ApiRequest } from './api-request.ts';
import type { CommitsDocument } from './commits-document.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { within } from './within.ts';

const minuteMs = 60_000;
const dayMinutes = 1440;
const bucketsDefault = 240;
const bucketsMax = 2000;
const what = 'reading what happened in the WAL';
const known: readonly string[] = ['from', 'to', 'buckets'];
const notNoted: WalHistoryFound = {
  timelines: [],
  restorePoints: [],
  because: 'what happens in the WAL is not noted for this site (wal_index, active_backup_mode)',
};

export interface AskedSpan {
  /** Minutes since 1970. */
  readonly from: number;
  readonly to: number;
  readonly bucketMinutes: number;
}

/** `GET /SITE/commits`: how many transactions ended when, and the named restore points. */
export async function answerCommits(
  { name, history }: Pick<SiteServices, 'name' | 'history'>,
  query: URLSearchParams,
  { signal: gone }: Pick<ApiRequest, 'signal'>,
  limits: Pick<WaitLimits, 'lookWaitMsMax'>,
): Promise<Reply> {
  const now = systemClock.now();
  const span = parseSpan(query, now);
  const { from, to, bucketMinutes } = span;
  const found =
    history === undefined ? notNoted : await within(limits.lookWaitMsMax, gone, what, (signal) => readSpan(history, span, signal));
  const document: CommitsDocument = {
    site: name,
    at: now.toISOString(),
    from: new Date(from * minuteMs).toISOString(),
    to: new Date(to * minuteMs).toISOString(),
    bucket_seconds: bucketMinutes * 60,
    timelines: found.timelines,
    restore_points: found.restorePoints.map(({ name: point, timeline, lsn, timeMs }) => {
      return { name: point, timeline, lsn, time: new Date(timeMs).toISOString() };
    }),
    is_complete: found.because === undefined,
    because: found.because ?? null,
  };
  return jsonReply(document);
}

/** Where the private key is elsewhere nobody here can read it. */
async function readSpan(history: Pick<WalHistory, 'between'>, span: AskedSpan, signal: AbortSignal): Promise<WalHistoryFound> {
  try {
    return await history.between(span, span.bucketMinutes, signal);
  } catch (error) {
    if (!isOperatorError(error, 'key-missing')) throw error;
    return { timelines: [], restorePoints: [], because: messageOf(error) };
  }
}

/** Whole minutes, and whole buckets. Throws `request-invalid`. */
export function parseSpan(query: URLSearchParams, now: Date): AskedSpan {
  for (const key of query.keys()) if (!known.includes(key)) throw invalid(`${JSON.stringify(key)} is not known`);
  const to = Math.ceil(momentIn(query, 'to', now.getTime()) / minuteMs);
  const from = Math.floor(momentIn(query, 'from', (to - dayMinutes) * minuteMs) / minuteMs);
  const buckets = query.get('buckets') ?? String(bucketsDefault);
  if (!/^[1-9]\d{0,3}$/.test(buckets) || Number(buckets) > bucketsMax) throw invalid(`buckets has to be a number from 1 to ${bucketsMax}`);
  if (from >= to) throw invalid('from has to be before to');
  const bucketMinutes = Math.ceil((to - from) / Number(buckets));
  return { from, to: from + Math.ceil((to - from) / bucketMinutes) * bucketMinutes, bucketMinutes };
}

/** A zone has to be named: nobody should have to guess which one is meant. */
function momentIn(query: URLSearchParams, key: string, otherwiseMs: number): number {
  const text = query.get(key);
  if (text === null) return otherwiseMs;
  const ms = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || ms < 0)
    throw invalid(`${key} has to be a moment such as 2026-11-22T14:03:00Z, and is ${JSON.stringify(text.slice(0, 100))}`);
  return ms;
}

function invalid(why: string): OperatorError {
  return new OperatorError('request-invalid', `Invalid query: ${why}`, {
    hint: 'It is /SITE/commits?from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z&buckets=240; a plus sign in a query is written %2B.',
  });
}
