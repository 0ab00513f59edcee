import { formatMoment } from '../format.ts';
import { whatIsAt } from './at-second.ts';
import type { Lane, Prepared } from './prepare.ts';

const second = 1000;

/** What the slider tells those who do not see it: the attributes of the second under the cursor. */
export function sliderValues({ from, to }: Pick<Prepared, 'from' | 'to'>, lane: Lane, at: number): ReadonlyMap<string, string> {
  const { state, because } = whatIsAt(lane, at);
  const whole = (ms: number) => String(Math.floor(ms / second));
  return new Map([
    ['aria-valuemin', whole(from)],
    ['aria-valuemax', whole(to)],
    ['aria-valuenow', whole(at)],
    ['aria-valuetext', `${formatMoment(at)}, timeline ${lane.timeline}: ${state === 'nothing' ? 'nothing is known' : state}. ${because}`],
  ]);
}
