import { OperatorError } from '../lib/errors.ts';
import { conninfoError } from './conninfo-keywords.ts';

/** What `target_session_attrs` may ask of a server. */
export const sessionAttributes = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type SessionAttribute = (typeof sessionAttributes)[number];

/** What has to be known of a server to judge it. */
export interface ServerRole {
  readonly isStandby: boolean;
  /** `transaction_read_only`: true for standbys, and where default_transaction_read_only is on. */
  readonly isReadOnly: boolean;
}

/** Throws `conninfo-invalid`. */
export function parseSessionAttribute(text = 'any'): SessionAttribute {
  const attribute = sessionAttributes.find((known) => known === text);
  if (attribute === undefined) throw conninfoError(`target_session_attrs "${text}" is none of ${sessionAttributes.join(', ')}`);
  return attribute;
}

/** In which order of wishes the hosts are gone through: `prefer-standby` takes anything in a second round. */
export function roundsOf(attribute: SessionAttribute): readonly SessionAttribute[] {
  return attribute === 'prefer-standby' ? ['standby', 'any'] : [attribute];
}

/** Throws `postgres-refused` (retryable: roles change) where the server is not what is wanted. */
export function checkRole(wanted: SessionAttribute, role: ServerRole, target: string): void {
  const complaint = complaintAbout(wanted, role);
  if (complaint === undefined) return;
  throw new OperatorError('postgres-refused', `PostgreSQL at ${target} ${complaint}, target_session_attrs=${wanted} was asked for`, {
    retryable: true,
  });
}

function complaintAbout(wanted: SessionAttribute, { isStandby, isReadOnly }: ServerRole): string | undefined {
  switch (wanted) {
    case 'read-write':
      return isReadOnly ? 'is read-only' : undefined;
    case 'read-only':
      return isReadOnly ? undefined : 'is not read-only';
    case 'primary':
      return isStandby ? 'is a standby' : undefined;
    case 'standby':
      return isStandby ? undefined : 'is not a standby';
    case 'any':
    case 'prefer-standby':
      return undefined;
  }
}
