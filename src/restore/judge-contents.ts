import { OperatorError } from '../lib/errors.ts';
import { incompleteMarker, restoreJournal, setAside } from './layout.ts';
import type { TargetDirectory } from './target-directory.ts';

export interface ContentWishes {
  /** What is in the way may be removed. */
  readonly overwrite: boolean;
  /** What is there may be kept where it is the same. */
  readonly reuse: boolean;
  /** Of a tablespace: it is that of the data directory, or belongs to the restore that was stopped there. */
  readonly belongsTo?: 'data directory' | 'unfinished restore' | undefined;
}

/** One of these says that a directory is, or was to be, a data directory. */
const dataDirectorySigns = new Set([incompleteMarker, 'PG_VERSION', 'global', 'base', 'pg_wal', 'pg_xlog', 'backup_label']);
/** Of a tablespace, by version and catalogue of PostgreSQL. */
const tablespaceFolder = /^PG_\d+(\.\d+)?_\d+$/;

/** What is to be done about a directory that holds these names. Throws what is right to be refused. */
export function judgeContents(
  path: string,
  purpose: TargetDirectory['purpose'],
  names: readonly string[],
  wishes: ContentWishes,
): TargetDirectory['state'] {
  // A restore that was stopped right after it had made its mark has done nothing.
  if (names.every((name) => name === incompleteMarker)) return 'empty';
  const isData = purpose === 'data directory';
  if (isData ? names.includes(incompleteMarker) && names.includes(restoreJournal) : wishes.belongsTo === 'unfinished restore')
    return 'unfinished';
  if (wishes.reuse) return judgeReuse(path, purpose, names, wishes);
  if (!wishes.overwrite) throw notEmpty(path, purpose, names);
  // With a slip of the pen it must not empty a home directory.
  if (isData ? looksLikeData(names) : names.includes(incompleteMarker)) return 'to-be-emptied';
  throw notRecognised(
    path,
    isData ? 'does not look like a data directory' : 'holds no unfinished restore',
    '--overwrite does not empty it',
  );
}

/** What nobody takes back is removed in the end, so it must be what it is taken for. */
function judgeReuse(
  path: string,
  purpose: TargetDirectory['purpose'],
  names: readonly string[],
  { belongsTo }: ContentWishes,
): 'to-be-reused' {
  const refuse = (why: string) => notRecognised(path, why, '--reuse does not touch it');
  if (names.includes(setAside)) throw refuse(`holds ${setAside}, what another restore has set aside`);
  if (purpose === 'data directory') {
    if (looksLikeData(names)) return 'to-be-reused';
    throw refuse('does not look like a data directory');
  }
  const folders = names.filter((name) => name !== incompleteMarker);
  if (folders.length > 1 || folders.some((name) => !tablespaceFolder.test(name)))
    throw refuse('holds more than one tablespace of one cluster');
  if (belongsTo !== 'data directory') throw refuse('is not the tablespace that the data directory has a link to');
  return 'to-be-reused';
}

function looksLikeData(names: readonly string[]): boolean {
  return names.some((name) => dataDirectorySigns.has(name));
}

function notEmpty(path: string, purpose: TargetDirectory['purpose'], names: readonly string[]): OperatorError {
  const some = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  const remedy =
    purpose === 'data directory'
      ? 'Empty it, use --overwrite to have it emptied, or --reuse to keep what is the same.'
      : names.includes(incompleteMarker)
        ? 'Empty it, or use --overwrite to have it emptied.'
        : 'Empty it, or name another directory.';
  return new OperatorError('target-not-empty', `${path} for the ${purpose} exists and is not empty: ${some}`, { hint: remedy });
}

function notRecognised(path: string, why: string, so: string): OperatorError {
  return new OperatorError('target-not-recognised', `${path} is not empty and ${why}, so ${so}`, {
    hint: 'If nothing in it is needed, empty it yourself.',
  });
}
