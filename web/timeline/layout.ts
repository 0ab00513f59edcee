import type { SpanState } from '../../src/daemon/http/api.ts';
import type { Mark, Stretch } from './prepare.ts';
import type { TimeWindow } from './window.ts';

/** A box of one state, in pixels from the left. */
export interface Box {
  readonly x0: number;
  readonly x1: number;
  readonly state: SpanState;
}

/** Base backups that are too close to each other to be told apart. */
export interface MarkGroup {
  readonly x: number;
  readonly marks: readonly Mark[];
  /** All of them can be restored. */
  readonly isSound: boolean;
}

/** Of what shares a pixel the worst is shown: a hole is never too small to be seen. */
const weight: Readonly<Record<SpanState, number>> = { proven: 0, covered: 1, unknown: 2, hole: 3 };
const badPixelsMin = 3;
const goodPixelsMin = 1;
const groupPixels = 9;

/** Where a moment lies, in pixels from the left. */
export function scaleOf({ from, to }: TimeWindow, width: number): (ms: number) => number {
  const perMs = width / (to - from);
  return (ms) => (ms - from) * perMs;
}

/** The boxes of a lane, from left to right, none over another: no more than fit beside each other, however many stretches there are. */
export function layoutStretches(stretches: readonly Stretch[], window: TimeWindow, width: number): readonly Box[] {
  const scale = scaleOf(window, width);
  const boxes: Box[] = [];
  for (const { from, to, state } of stretches) {
    if (to < window.from || from > window.to) continue;
    const least = weight[state] >= weight.unknown ? badPixelsMin : goodPixelsMin;
    const x0 = Math.max(0, Math.min(scale(from), width - least));
    add(boxes, { x0, x1: Math.min(width, Math.max(scale(to), x0 + least)), state });
  }
  return boxes;
}

/** A box that begins within others takes their place where it is worse, and gives way to them where it is not. */
function add(boxes: Box[], box: Box): void {
  const hidden: Box[] = [];
  let last = boxes.at(-1);
  while (last !== undefined && last.x1 > box.x0) {
    boxes.pop();
    hidden.push(last);
    last = boxes.at(-1);
  }
  if (hidden.length === 0) return append(boxes, box);
  for (const piece of cut(hidden.toReversed(), box)) append(boxes, piece);
}

/** The boxes of both, the worse one wherever they meet. */
function cut(others: readonly Box[], box: Box): readonly Box[] {
  const edges = [...new Set([...others.flatMap(({ x0, x1 }) => [x0, x1]), box.x0, box.x1])].toSorted((a, b) => a - b);
  return edges.flatMap((x0, index) => {
    const x1 = edges[index + 1];
    if (x1 === undefined) return [];
    const states = [...others, box].filter((each) => each.x0 <= x0 && each.x1 >= x1).map(({ state }) => state);
    const [worst] = states.toSorted((a, b) => weight[b] - weight[a]);
    return worst === undefined ? [] : [{ x0, x1, state: worst }];
  });
}

function append(boxes: Box[], box: Box): void {
  const last = boxes.at(-1);
  const gap = last === undefined ? Number.POSITIVE_INFINITY : box.x0 - last.x1;
  // A gap that nobody can see would only make more boxes. It is closed with what comes, never with more of what can be restored than a pixel.
  if (last?.state === box.state && gap < 0.25) boxes[boxes.length - 1] = { ...last, x1: box.x1 };
  else boxes.push(box);
}

/** Base backups in the window, those that would lie over each other as one. */
export function layoutMarks(marks: readonly Mark[], window: TimeWindow, width: number): readonly MarkGroup[] {
  const scale = scaleOf(window, width);
  const groups: { x: number; marks: Mark[] }[] = [];
  for (const mark of marks) {
    if (mark.at < window.from || mark.at > window.to) continue;
    const x = scale(mark.at);
    const last = groups.at(-1);
    if (last !== undefined && x - last.x < groupPixels) last.marks.push(mark);
    else groups.push({ x, marks: [mark] });
  }
  return groups.map((group) => ({ ...group, isSound: group.marks.every(({ state }) => state === 'proven' || state === 'covered') }));
}
