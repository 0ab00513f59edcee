import type { PlanRefusalDocument, RestorePlanDocument } from '../src/daemon/http/api.ts';
import { apiPath } from './format.ts';

/** `none`: the daemon cannot tell now, in words. */
export type PlanAnswer =
  | { readonly is: 'plan'; readonly plan: RestorePlanDocument }
  | { readonly is: 'refused'; readonly refusal: PlanRefusalDocument }
  | { readonly is: 'none'; readonly because: string };

/** What a restore to a second would do. `timeline`: where it is not the one that a restore follows by itself. Rejects only where the signal is aborted. */
export async function askForPlan(site: string, ms: number, timeline: number | undefined, signal: AbortSignal): Promise<PlanAnswer> {
  const query = new URLSearchParams({ time: new Date(ms).toISOString(), ...(timeline !== undefined && { timeline: String(timeline) }) });
  try {
    const answer = await fetch(`${apiPath(site, 'plan')}?${query}`, { signal });
    const isDocument = answer.headers.get('content-type')?.startsWith('application/json') === true;
    if (answer.ok) return { is: 'plan', plan: (await answer.json()) as RestorePlanDocument };
    if (isDocument) return { is: 'refused', refusal: (await answer.json()) as PlanRefusalDocument };
    return { is: 'none', because: 'the daemon makes no plans' };
  } catch (error) {
    signal.throwIfAborted();
    return { is: 'none', because: error instanceof TypeError ? 'the daemon does not answer' : 'its answer cannot be read' };
  }
}
