import { type AlertEvent, subjectOf } from './alert-event.ts';

/** What a channel has not delivered yet, in the order in which it happened. */
export interface Outbox {
  readonly waiting: readonly AlertEvent[];
  /** How many had to be left out since something was delivered last. */
  readonly omitted: number;
}

export const emptyOutbox: Outbox = { waiting: [], omitted: 0 };
export const waitingMaxDefault = 200;

/**
 * The outbox with one event more. A reminder takes the place of an earlier one. Where too many wait, what a later event of the same subject makes old goes
 * first, then base backups, then what is oldest: the newest state of an alert is the last to go.
 */
export function withEvent({ waiting, omitted }: Outbox, event: AlertEvent, waitingMax = waitingMaxDefault): Outbox {
  const subject = subjectOf(event);
  const isRepeated = (other: AlertEvent) =>
    event.event === 'alert.reminder' && other.event === 'alert.reminder' && subjectOf(other) === subject;
  const all = [...waiting.filter((other) => !isRepeated(other)), event];
  if (all.length <= waitingMax) return { waiting: all, omitted };
  const gone = leastMissed(all);
  return { waiting: all.filter((other) => other !== gone), omitted: omitted + 1 };
}

export function withoutEvent({ waiting, omitted }: Outbox, id: string, wasDelivered: boolean): Outbox {
  return { waiting: waiting.filter((event) => event.id !== id), omitted: wasDelivered ? 0 : omitted + 1 };
}

function leastMissed(events: readonly AlertEvent[]): AlertEvent | undefined {
  const subjects = events.map(subjectOf);
  const old = events.find((_, at) => subjects.indexOf(subjects[at] ?? '', at + 1) !== -1);
  return old ?? events.find(({ basebackup }) => basebackup !== null) ?? events[0];
}
