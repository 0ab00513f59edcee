import { type ConnInfo, parseConninfo, parseUnchecked } from './conninfo.ts';
import { conninfoError } from './conninfo-keywords.ts';

/** One of the servers of a site: how to connect to it, and the replication slot to receive WAL from. */
export interface PostgresNode {
  readonly conninfo: ConnInfo;
  readonly slot: string | null;
}

/** Reads an entry of `nodes`: whatever {@link parseConninfo} takes, with an optional `slot` beside it. Throws `conninfo-invalid`. */
export function parseNode(input: string | Readonly<Record<string, unknown>>): PostgresNode {
  const { slot: besides, ...rest } = typeof input === 'string' ? { connection_string: input } : input;
  const { slot = textOrNothing(besides), ...keywords } = parseUnchecked(rest);
  return { conninfo: parseConninfo(keywords), slot: slot === '' ? null : slot };
}

function textOrNothing(slot: unknown): string {
  if (slot === undefined || slot === null) return '';
  if (typeof slot === 'string') return slot;
  throw conninfoError('the name of a replication slot must be text');
}
