import { systemClock } from '../../src/lib/clock.ts';

/** What a running step can show: where it is, and how far (0 to 1) where that is known. */
export type ShowProgress = (text: string, fraction?: number) => void;

const textWidth = 88;
const barWidth = 24;
const onTerminal = process.stdout.isTTY;

/** Runs one step of the demo and prints one line about it: what happened (the text that `work` returns with its result) and how long it took. */
export async function step<T>(title: string, work: (show: ShowProgress) => Promise<readonly [happened: string, result: T]>): Promise<T> {
  const startedMs = systemClock.monotonicMs();
  const elapsed = () => `${((systemClock.monotonicMs() - startedMs) / 1000).toFixed(1).padStart(6)} s`;
  let progress = '';
  const draw = () => redraw(`… ${title}${progress}`.padEnd(textWidth) + elapsed());
  const ticker = onTerminal ? setInterval(draw, 100) : undefined;
  try {
    const [happened, result] = await work((text, fraction) => {
      progress = ` ${fraction === undefined ? '' : `${bar(fraction)} `}${text}`;
    });
    finish(`✓ ${happened}`.padEnd(textWidth) + elapsed());
    return result;
  } catch (error) {
    finish(`✗ ${title}: failed`.padEnd(textWidth) + elapsed());
    throw error;
  } finally {
    clearInterval(ticker);
  }
}

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

function bar(fraction: number): string {
  const full = Math.round(Math.min(Math.max(fraction, 0), 1) * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${Math.floor(fraction * 100)} %`;
}

function redraw(line: string): void {
  process.stdout.write(`\r\u001B[2K${line.slice(0, (process.stdout.columns ?? 100) - 1)}`);
}

function finish(line: string): void {
  process.stdout.write(onTerminal ? `\r\u001B[2K${line}\n` : `${line}\n`);
}

/** 1234567 → `1.2 MiB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
