import { formatJson } from '../lib/json.ts';

/** Who works on a site, as it stands in the store. */
export interface LeaseNote {
  /** Made up anew for each process. */
  readonly owner: string;
  /** Names a place that one process at a time can have: whoever has it knows an earlier owner from there to be dead. */
  readonly place: string | undefined;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly since: Date;
  /** After so long without a change the owner does not act any more. */
  readonly ttlMs: number;
  /** How long the owner before may still act; 0 where it certainly does not. */
  readonly riskMs: number;
  /** The owner has stopped by itself. */
  readonly isReleased: boolean;
}

const formatVersion = 1;
const ttlMsMin = 100;
const ttlMsMax = 3_600_000;

/** `nonce` makes each writing differ from all others. */
export function formatLeaseNote(note: LeaseNote, nonce: string): string {
  const { owner, place, host, pid, version, since, ttlMs, riskMs, isReleased } = note;
  return formatJson({
    format: formatVersion,
    owner,
    place: place ?? null,
    host,
    pid,
    version,
    since,
    ttl_seconds: ttlMs / 1000,
    risk_seconds: riskMs / 1000,
    released: isReleased,
    nonce,
  });
}

/** Undefined for what cannot be understood, which is a lease all the same: it is left to whoever keeps changing it. */
export function parseLeaseNote(text: string): LeaseNote | undefined {
  const fields = parseObject(text);
  const [ttlMs, riskMs] = [fields['ttl_seconds'], fields['risk_seconds']].map((seconds) => Number(seconds) * 1000) as [number, number];
  const { format, owner, place, host, pid, version, released } = fields;
  const since = new Date(String(fields['since']));
  const isSound =
    format === formatVersion &&
    typeof owner === 'string' &&
    (typeof place === 'string' || place === null) &&
    typeof released === 'boolean' &&
    ttlMs >= ttlMsMin &&
    ttlMs <= ttlMsMax &&
    riskMs >= 0 &&
    riskMs <= ttlMsMax &&
    !Number.isNaN(since.getTime());
  if (!isSound) return undefined;
  const about = { host: textOf(host), pid: Number(pid), version: textOf(version), since };
  return { owner, place: place ?? undefined, ...about, ttlMs, riskMs, isReleased: released };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '?';
}
