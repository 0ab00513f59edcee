import { OperatorError } from '../lib/errors.ts';
import { type Lsn, parseLsn } from './lsn.ts';

/** Where a timeline's ancestor was left. */
export interface TimelineSwitch {
  /** The ancestor. */
  readonly timeline: number;
  /** The first position that does not belong to the ancestor any more. */
  readonly switchLsn: Lsn;
  /** What the server noted, such as `no recovery target specified`. */
  readonly reason: string;
}

/**
 * Reads a timeline history file: one line for each ancestor, oldest first: timeline, switch position, reason, separated by tabs; `#` begins
 * a comment (timeline.c, readTimeLineHistory). Throws `timeline-history-invalid`.
 */
export function parseTimelineHistory(text: string): readonly TimelineSwitch[] {
  const switches: TimelineSwitch[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    const parsed = parseLine(content, index + 1);
    if (parsed.timeline <= (switches.at(-1)?.timeline ?? 0)) throw invalid(index + 1, 'timelines must be in ascending order');
    switches.push(parsed);
  }
  if (switches.length === 0) throw new OperatorError('timeline-history-invalid', 'the timeline history names no ancestor');
  return switches;
}

function parseLine(line: string, number: number): TimelineSwitch {
  const match = /^(\d{1,10})\s+([0-9A-F]{1,8}\/[0-9A-F]{1,8})(?:\s+(.*))?$/i.exec(line);
  if (!match) throw invalid(number, 'a timeline, a WAL position and a reason are expected');
  const timeline = Number(match[1]);
  if (timeline > 0xffff_ffff) throw invalid(number, `${match[1]} is no timeline`);
  return { timeline, switchLsn: parseLsn(match[2] as string), reason: match[3] ?? '' };
}

function invalid(line: number, why: string): OperatorError {
  return new OperatorError('timeline-history-invalid', `the timeline history cannot be read: line ${line}: ${why}`);
}
