import { isGood } from './at-second.ts';
import type { Lane } from './prepare.ts';

const second = 1000;

/** The previous (-1) or the next (1) base backup, as a whole second at which it can be restored. */
export function backupBeside({ marks }: Lane, cursor: number, direction: 1 | -1): number | undefined {
  const places = marks.map(({ at }) => Math.ceil(at / second) * second);
  return direction === 1 ? places.find((at) => at > cursor) : places.findLast((at) => at < cursor);
}

/** The first or the last moment that can be restored. */
export function endOf({ stretches }: Lane, which: 'first' | 'last'): number | undefined {
  const good = stretches.filter(isGood);
  const first = good[0]?.from;
  return which === 'last' ? good.at(-1)?.to : first === undefined ? undefined : Math.ceil(first / second) * second;
}
