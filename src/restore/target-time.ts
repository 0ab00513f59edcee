import { OperatorError } from '../lib/errors.ts';
import { instantsOf, isTimeZone } from '../lib/time-zone.ts';

/** A point in time to recover to, exact to the microsecond as PostgreSQL's own clock is. */
export interface TargetTime {
  readonly epochMs: number;
  /** 0 to 999: what `epochMs` cannot hold. */
  readonly microseconds: number;
}

const pattern =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d{1,6}))?)?\s*(?<zone>.*)$/i;

/** Of the IANA database; abbreviations such as EDT mean one thing here and another there. */
const zoneNamePattern = /^[A-Za-z_]+\/[\w+/-]+$/;

const agoPattern = /^(?<count>\d+(?:\.\d+)?|an?)\s+(?<unit>second|minute|hour|day|week)s?\s+ago$/i;
const unitMs: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 };

const zonePattern = /^(?<sign>[+-])(?<hours>\d{2})(?::?(?<minutes>\d{2}))?$/;

/**
 * Reads a time as `2026-11-22 14:03:00+02`: date, `T` or a space, time of day, and always a zone (`Z`, `UTC`, `+02`, `+02:00`, `+0200`, `Europe/Helsinki`); or as `5 minutes ago`.
 * Without a zone the same text means another second on another machine, so `target-time-zone-missing` says which two it could be here.
 */
export function parseTargetTime(text: string, now: Date): TargetTime {
  const ago = agoPattern.exec(text.trim())?.groups;
  if (ago) return { epochMs: now.getTime() - lengthMs(ago), microseconds: 0 };
  const groups = pattern.exec(text.trim())?.groups;
  if (!groups) throw badTime(text, 'it is not a date and a time of day');
  const wall = wallClockMs(groups);
  if (wall === undefined) throw badTime(text, 'there is no such date or time of day');
  const zone = groups['zone'] ?? '';
  if (zone === '') throw zoneMissing(text, wall);
  const epochMs = zoneNamePattern.test(zone) && isTimeZone(zone) ? instantIn(zone, wall, text) : inOffset(zone, wall, text);
  const micros = Number((groups['fraction'] ?? '').padEnd(6, '0'));
  return { epochMs: epochMs + Math.floor(micros / 1000), microseconds: micros % 1000 };
}

function lengthMs({ count = '', unit = '' }: Record<string, string | undefined>): number {
  return Math.round((/^a/i.test(count) ? 1 : Number(count)) * (unitMs[unit.toLowerCase()] ?? 0));
}

function inOffset(zone: string, wallMs: number, text: string): number {
  const offsetMs = zoneOffsetMs(zone);
  if (offsetMs === undefined) throw badZone(text, zone, wallMs);
  return wallMs - offsetMs;
}

function instantIn(zone: string, wallMs: number, text: string): number {
  const instants = instantsOf(wallMs, zone);
  const [instant] = instants;
  if (instant === undefined) throw badTime(text, `the clocks of ${zone} were set forward over it`);
  if (instants.length === 1) return instant;
  const bare = text.trim().slice(0, -zone.length).trim();
  const readings = instants.map((ms) => `'${bare}${formatOffset((wallMs - ms) / 60_000)}'`);
  throw new OperatorError('target-time-zone-missing', `the clocks of ${zone} showed '${bare}' twice`, {
    hint: `Write ${readings.join(' or ')}.`,
  });
}

/** The form PostgreSQL and people read alike: `2026-11-22 12:03:00.250000+00:00`, the fraction only where there is one. */
export function formatTargetTime(time: TargetTime): string {
  return `${formatAt(time, 0)}+00:00`;
}

/** The same moment in UTC, in the zone of this machine, and in the zone of the source where that is known: one line each, repeats left out. */
export function echoTargetTime(time: TargetTime, sourceZone?: string): string[] {
  const local = `${formatInZone(time, undefined)} in the zone of this machine (${localZoneName()})`;
  const source = sourceZone === undefined ? undefined : sourceLine(time, sourceZone);
  return [`${formatAt(time, 0)} UTC`, local, ...(source === undefined ? [] : [source])];
}

/** Whether `moment` lies after the target. */
export function isAfterTarget(moment: Date, time: TargetTime): boolean {
  return moment.getTime() > time.epochMs;
}

function sourceLine(time: TargetTime, zone: string): string | undefined {
  try {
    return `${formatInZone(time, zone)} in the zone of the source (${zone})`;
  } catch (error) {
    // Names that only PostgreSQL knows, such as POSIX rules, are left out rather than guessed at.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function wallClockMs(groups: Record<string, string | undefined>): number | undefined {
  const field = (name: string) => Number(groups[name] ?? '0');
  const [year, month, day, hour, minute, second] = ['year', 'month', 'day', 'hour', 'minute', 'second'].map(field) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const wall = new Date(0);
  wall.setUTCFullYear(year, month - 1, day);
  wall.setUTCHours(hour, minute, second);
  const same = wall.getUTCMonth() === month - 1 && wall.getUTCDate() === day && wall.getUTCHours() === hour;
  return same && hour < 24 && minute < 60 && second < 60 ? wall.getTime() : undefined;
}

function zoneOffsetMs(zone: string): number | undefined {
  if (/^(z|utc|gmt)$/i.test(zone)) return 0;
  const groups = zonePattern.exec(zone)?.groups;
  if (!groups) return undefined;
  const hours = Number(groups['hours']);
  const minutes = Number(groups['minutes'] ?? '0');
  if (hours > 15 || minutes > 59) return undefined;
  return (groups['sign'] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

function badTime(text: string, why: string): OperatorError {
  return new OperatorError('target-time-invalid', `the recovery target time '${text}' cannot be read: ${why}`, {
    hint: "Write it as '2026-11-22 14:03:00+02:00', with Z for UTC, with a zone such as Europe/Helsinki, or as '5 minutes ago'.",
  });
}

function zoneMissing(text: string, wallMs: number): OperatorError {
  return new OperatorError('target-time-zone-missing', `the recovery target time '${text}' does not say in which time zone`, {
    hint: suggestion(text.trim(), wallMs),
  });
}

function badZone(text: string, zone: string, wallMs: number): OperatorError {
  const bare = text.trim().slice(0, -zone.length).trim();
  return new OperatorError(
    'target-time-invalid',
    `the recovery target time '${text}' ends in '${zone}', which names no time zone for certain`,
    {
      hint: suggestion(bare, wallMs),
    },
  );
}

function suggestion(bare: string, wallMs: number): string {
  const local = localOffsetsOf(wallMs).map((minutes) => `'${bare}${formatOffset(minutes)}'`);
  const here = local.length === 0 ? `(in the zone of this machine, ${localZoneName()}, the clocks skipped it)` : local.join(' or ');
  return `Write '${bare}Z' for UTC, or ${here}${local.length > 0 ? ` for the time of this machine (${localZoneName()})` : ''}.`;
}

/** Minutes east of UTC that this wall clock time can mean here: none in the hour that spring skips, two in the one that autumn repeats. */
function localOffsetsOf(wallMs: number): number[] {
  return instantsOf(wallMs, localZoneName()).map((instantMs) => (wallMs - instantMs) / 60_000);
}

function formatInZone(time: TargetTime, zone: string | undefined): string {
  const minutes = zone === undefined ? -new Date(time.epochMs).getTimezoneOffset() : offsetInZone(time.epochMs, zone);
  return `${formatAt(time, minutes)}${formatOffset(minutes)}`;
}

/** Throws RangeError for a zone that is not known here. */
function offsetInZone(epochMs: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(epochMs).find((part) => part.type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0));
}

function formatAt(time: TargetTime, offsetMinutes: number): string {
  const shifted = new Date(time.epochMs + offsetMinutes * 60_000).toISOString();
  const micros = (time.epochMs % 1000) * 1000 + time.microseconds;
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)}${fraction}`;
}

function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function localZoneName(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
