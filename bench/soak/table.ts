import { judgeFlat, type Verdict } from './judge-flat.ts';
import { type FigureName, figureNames, type Sample } from './sample.ts';

/** What may be more after an hour. */
const limitsPerHour: Readonly<Record<FigureName, number>> = {
  resident: Number.POSITIVE_INFINITY,
  memory: 12,
  heap: 6,
  'open files': 4,
  threads: 1,
  timers: 4,
  'other handles': 4,
  children: 1,
};

/** What no sample may be above. MiB. */
const ceilings: Partial<Readonly<Record<FigureName, number>>> = { resident: 300 };

export type Judged = Verdict & { readonly name: FigureName; readonly limitPerHour: number; readonly highest: number };

export function judgeSamples(samples: readonly Sample[]): Judged[] {
  return figureNames.map((name) => {
    const points = samples.map(({ hours, figures }) => ({ hours, value: figures[name] }));
    const verdict = judgeFlat(points, limitsPerHour[name]);
    const highest = Math.max(...points.map(({ value }) => value));
    const isFlat = verdict.isFlat && highest <= (ceilings[name] ?? Number.POSITIVE_INFINITY);
    return { name, limitPerHour: limitsPerHour[name], ...verdict, highest, isFlat };
  });
}

export function renderJudged(judged: readonly Judged[]): string {
  const head = [
    'figure'.padEnd(14),
    ...['1st quarter', '2nd', '3rd', '4th', 'highest', 'growth/h', 'limit/h'].map((title) => title.padStart(11)),
  ];
  const lines = judged.map(({ name, quarters, highest, slopePerHour, limitPerHour, isFlat }) => [
    name.padEnd(14),
    ...[...quarters, highest, slopePerHour, limitPerHour].map((value) => value.toFixed(1).padStart(11)),
    isFlat ? 'flat' : 'TOO MUCH',
  ]);
  return [head, ...lines].map((cells) => cells.join('  ')).join('\n');
}
