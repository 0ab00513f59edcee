import { systemClock } from '../../lib/clock.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { formatJson } from '../../lib/json.ts';
import { parseTarget } from '../../restore/parse-target.ts';
import { refusalAsDocument } from '../../restore/plan/plan-refusal.ts';
import type { PlanRequest } from '../../restore/plan/plan-request.ts';
import type { ApiRequest } from './api-request.ts';
import { statusOf } from './error-reply.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { DaemonServices, SiteServices } from './site-services.ts';
import { within } from './within.ts';

const known = ['target', 'time', 'lsn', 'xid', 'name', 'exclusive', 'timeline', 'basebackup'];

/**
 * `GET /SITE/plan?time=…`: what a restore of the site would do, and `lsn`, `xid`, `name`, `target=latest` or `target=immediate` instead of `time`; `exclusive=1`, `timeline` and `basebackup` as the
 * flags of `pghoard_restore plan`. A target that cannot be restored is answered with 409, one that is not there with 404, one that cannot be read with 400: as a `PlanRefusalDocument`.
 */
export async function answerPlan(
  site: Pick<SiteServices, 'plan'>,
  query: URLSearchParams,
  { signal }: ApiRequest,
  { limits, planHow }: Pick<DaemonServices, 'limits' | 'planHow'>,
): Promise<Reply> {
  try {
    const request = planRequestIn(query, systemClock.now());
    return jsonReply(await within(limits.lookWaitMsMax, signal, 'planning a restore', (ending) => site.plan(request, planHow(), ending)));
  } catch (error) {
    if (!isOperatorError(error)) throw error;
    const headers = { 'content-type': 'application/json', 'x-pghoard-code': error.code };
    return { status: statusOf(error), headers, body: formatJson(refusalAsDocument(error)) };
  }
}

/** Each parameter once. Throws `request-invalid`, and what `parseTarget` throws. */
export function planRequestIn(query: URLSearchParams, now: Date): PlanRequest {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw invalid(`there is no parameter ${JSON.stringify(name.slice(0, 50))}`);
    if (query.getAll(name).length > 1) throw invalid(`the parameter ${name} came several times`);
  }
  const text = (name: string) => query.get(name) ?? undefined;
  const kind = text('target');
  if (kind !== undefined && kind !== 'latest' && kind !== 'immediate') throw invalid('target is latest or immediate');
  const place = { time: text('time'), lsn: text('lsn'), xid: text('xid'), name: text('name') };
  if (kind === 'latest' && Object.values(place).some((value) => value !== undefined))
    throw invalid('a target is given beside target=latest');
  const target = parseTarget({ ...place, isImmediate: kind === 'immediate', isExclusive: isSet(text('exclusive')) }, now);
  return {
    basebackup: text('basebackup') ?? 'latest',
    dataDirectory: undefined,
    overwrite: false,
    reuse: false,
    tablespaces: { directories: new Map() },
    recovery: { target, targetAction: 'promote', timeline: timelineIn(text('timeline')), toPrimary: true },
    cancelPreserveOnSuccess: true,
  };
}

function isSet(text: string | undefined): boolean {
  if (text === undefined || text === '0' || text === 'false') return false;
  if (text === '1' || text === 'true') return true;
  throw invalid('exclusive is 1 or 0');
}

function timelineIn(text = 'latest'): string {
  if (/^(latest|current|[1-9]\d{0,9})$/.test(text)) return text;
  throw invalid('timeline is latest, current or a number');
}

function invalid(why: string): OperatorError {
  return new OperatorError('request-invalid', `no restore can be planned: ${why}`, { hint: `Known are ${known.join(', ')}.` });
}
