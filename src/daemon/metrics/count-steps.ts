import type { StepTimes } from '../../codec/step-times.ts';
import type { Metrics } from '../../lib/metrics.ts';

/** Adds what the steps of a job took. */
export function countSteps(metrics: Metrics, job: string, steps: StepTimes): void {
  for (const [step, seconds] of Object.entries(steps)) metrics.increase('pghoard.job_step_seconds', Math.max(0, seconds), { job, step });
}
