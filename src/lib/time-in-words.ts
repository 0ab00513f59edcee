/** `3 min ago (2026-11-30T11:40:25Z)` */
export function ago(moment: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - moment.getTime()) / 1000));
  return `${durationInWords(seconds)} ago (${moment.toISOString().replace(/\.\d+Z$/, 'Z')})`;
}

export function durationInWords(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
