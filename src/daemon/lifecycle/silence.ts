/** How long a job has not been heard of. */
export interface Silence {
  readonly ms: number;
  /** Somebody has been told that it hangs. */
  readonly isTold: boolean;
}

export type SilenceStep = 'tell' | 'take-back' | 'stay';

export const noSilence: Silence = { ms: 0, isTold: false };

/**
 * What a beat makes of it. `heard`: it has made progress since the last one. Silence is counted in beats, each of which counts for no more than `beatMsMax`: a process that
 * was stopped, or a machine that slept, does not find all its jobs hanging when it goes on, and the time of day plays no part.
 */
export function afterBeat(
  silence: Silence,
  beat: { readonly elapsedMs: number; readonly heard: boolean; readonly deadlineMs: number },
  beatMsMax: number,
): { readonly silence: Silence; readonly step: SilenceStep } {
  if (beat.heard) return { silence: noSilence, step: silence.isTold ? 'take-back' : 'stay' };
  const ms = silence.ms + Math.min(Math.max(beat.elapsedMs, 0), beatMsMax);
  const isTold = silence.isTold || ms >= beat.deadlineMs;
  return { silence: { ms, isTold }, step: isTold && !silence.isTold ? 'tell' : 'stay' };
}
