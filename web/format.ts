const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `1.5 GiB`: three figures at most. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`, `12 d 3 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string, number, string][] = [
    [86_400, 'd', 3600, 'h'],
    [3600, 'h', 60, 'min'],
    [60, 'min', 1, 's'],
  ];
  for (const [large, largeName, small, smallName] of parts) {
    if (whole < large) continue;
    const rest = Math.floor((whole % large) / small);
    return `${Math.floor(whole / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`;
  }
  return `${whole} s`;
}

const dayFormat = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const timeFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const zoneFormat = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' });

/** In the viewer's zone: `Mon, 30 Nov 2026`. */
export function formatDay(ms: number): string {
  return dayFormat.format(ms);
}

/** In the viewer's zone: `23:14:03`. */
export function formatTime(ms: number): string {
  return timeFormat.format(ms);
}

/** Name of the viewer's zone at that moment: `CET`, `GMT+2`. */
export function zoneAt(ms: number): string {
  return zoneFormat.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

export function isUtcHere(ms: number): boolean {
  return new Date(ms).getTimezoneOffset() === 0;
}

/** `2026-11-30 22:14:03 UTC` */
export function formatUtc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `Mon, 30 Nov 2026, 23:14:03 CET (2026-11-30 22:14:03 UTC)`; only the latter's words where the viewer lives by UTC. */
export function formatMoment(ms: number): string {
  const local = `${formatDay(ms)}, ${formatTime(ms)}`;
  return isUtcHere(ms) ? `${local} UTC` : `${local} ${zoneAt(ms)} (${formatUtc(ms)})`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-GB')} ${count === 1 ? one : many}`;
}

/** Of a moment as the API tells it; undefined for null and for what is none. */
export function msOf(iso: string | null | undefined): number | undefined {
  const ms = iso ? Date.parse(iso) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** A path of the API, relative to the page. */
export function apiPath(site: string, ...rest: string[]): string {
  return [encodeURIComponent(site), ...rest].join('/');
}
