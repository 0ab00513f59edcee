import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../../lib/clock.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { lookAtOwnProcess } from '../own-process.ts';
import type { Sample } from './registry.ts';

type DelayHistogram = ReturnType<typeof monitorEventLoopDelay>;

const resolutionMs = 50;
const windowMs = 60_000;
const nanosecondsPerSecond = 1e9;

/** What the daemon takes of this host. Costs something only between the first look and {@link ProcessWatch.rest}. */
export class ProcessWatch {
  readonly #clock: Clock;
  readonly #startTime: Date;
  #cpuSeconds = 0;
  #delay: DelayHistogram | undefined;
  #delaySinceMs = 0;
  /** In the window before. */
  #delayBefore = 0;

  constructor(clock: Clock, startTime: Date) {
    this.#clock = clock;
    this.#startTime = startTime;
  }

  look(metrics: Metrics): void {
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    metrics.increase('pghoard.process_cpu_seconds', cpuSeconds - this.#cpuSeconds);
    this.#cpuSeconds = cpuSeconds;
    this.#watchDelay();
  }

  samples(): Sample[] {
    const { memoryBytes, heapBytes, openFiles } = lookAtOwnProcess();
    return [
      { name: 'pghoard.process_resident_memory_bytes', value: memoryBytes },
      { name: 'pghoard.process_heap_bytes', value: heapBytes },
      { name: 'pghoard.process_start_time_seconds', value: this.#startTime.getTime() / 1000 },
      ...(openFiles === undefined ? [] : [{ name: 'pghoard.process_open_fds', value: openFiles }]),
      ...(this.#delay
        ? [{ name: 'pghoard.process_event_loop_delay_seconds', value: Math.max(this.#delayBefore, delayOf(this.#delay)) }]
        : []),
    ];
  }

  /** Nobody wants to know any more. */
  rest(): void {
    this.#delay?.disable();
    this.#delay = undefined;
  }

  #watchDelay(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#delay === undefined) {
      this.#delay = monitorEventLoopDelay({ resolution: resolutionMs });
      this.#delay.enable();
      this.#delayBefore = 0;
    } else if (nowMs - this.#delaySinceMs < windowMs / 2) return;
    else {
      this.#delayBefore = delayOf(this.#delay);
      this.#delay.reset();
    }
    this.#delaySinceMs = nowMs;
  }
}

/** What is measured includes the time between two looks of the histogram itself. */
function delayOf({ count, max }: DelayHistogram): number {
  return count === 0 ? 0 : Math.max(0, max / nanosecondsPerSecond - resolutionMs / 1000);
}
