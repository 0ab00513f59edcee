import type { Clock } from '../lib/clock.ts';
import { explain, isOperatorError } from '../lib/errors.ts';
import { interruption } from './main.ts';
import type { StatusReport } from './status-report.ts';
import { WatchScreen } from './watch-screen.ts';

export interface WatchOptions {
  readonly everyMs: number;
  /** Rejects with OperatorErrors. */
  readonly find: (signal: AbortSignal) => Promise<StatusReport>;
  readonly text: (report: StatusReport, columns: number | undefined) => string[];
  /** Print this line for each report instead. */
  readonly line: ((report: StatusReport) => string) | undefined;
  readonly clock: Clock;
}

/** Shows the status again and again until somebody has seen enough. Resolves to the last one, undefined where there was none. */
export async function watchStatus(options: WatchOptions): Promise<StatusReport | undefined> {
  const interrupted = interruption();
  const isOnScreen = options.line === undefined && process.stdout.isTTY;
  if (!isOnScreen) return repeat(options, interrupted, (report) => console.log(inLines(report, options)));
  let last: readonly string[] = [];
  const report = await onScreen(options, interrupted, (lines) => (last = lines));
  // So that it can still be read, and copied.
  console.log(last.join('\n'));
  return report;
}

async function onScreen(
  options: WatchOptions,
  interrupted: AbortSignal,
  onShown: (lines: readonly string[]) => void,
): Promise<StatusReport | undefined> {
  using screen = new WatchScreen({ input: process.stdin, output: process.stdout });
  let newest: StatusReport | Error | undefined;
  const draw = () => {
    if (newest === undefined) return;
    const lines = newest instanceof Error ? explain(newest).split('\n') : options.text(newest, screen.columns);
    onShown(lines);
    screen.show([...lines, '', `every ${options.everyMs / 1000} s; q ends`]);
  };
  screen.onResize(draw);
  return await repeat(options, AbortSignal.any([interrupted, screen.ended]), (found) => {
    newest = found;
    draw();
  });
}

/** A configuration that cannot be read just now is shown too: somebody may be writing it. */
async function repeat(
  { everyMs, find, clock }: WatchOptions,
  end: AbortSignal,
  show: (found: StatusReport | Error) => void,
): Promise<StatusReport | undefined> {
  let last: StatusReport | undefined;
  while (!end.aborted) {
    try {
      last = await find(end);
      show(last);
    } catch (error) {
      if (end.aborted) break;
      if (!isOperatorError(error)) throw error;
      last = undefined;
      show(error);
    }
    await clock.sleep(everyMs, end).catch(() => {});
  }
  return last;
}

function inLines(found: StatusReport | Error, { line, text }: WatchOptions): string {
  if (found instanceof Error) return explain(found);
  return line === undefined ? `${text(found, undefined).join('\n')}\n` : line(found);
}
