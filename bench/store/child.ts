import { runCommand } from '../../src/cli/main.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type StoreDiscipline, works } from './disciplines.ts';

export interface ChildReport {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly outcome: string;
}

/** Does one thing in a process of its own, so that its memory can be told. */
async function main([discipline, directory]: string[]): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  const outcome = await works[discipline as StoreDiscipline](directory as string);
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const report: ChildReport = { seconds, peakBytes: process.resourceUsage().maxRSS * 1024, outcome };
  console.log(JSON.stringify(report));
  return 0;
}

runCommand('bench-store', main);
