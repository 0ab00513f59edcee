import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError } from '../../lib/errors.ts';
import { runProgram } from '../../lib/subprocess.ts';
import { formatConninfo } from '../../postgres/conninfo.ts';
import { findProgram, type ProgramName, type ProgramSearch } from '../../postgres/programs.ts';
import type { Owner } from '../settle-tree.job.ts';
import type { DrillQuery, RestoreDrillOptions } from './options.ts';
import type { ScratchServer } from './scratch-server.ts';

export type DrillCheck = DrillEvidence['checks'][number];

export interface CheckDeps {
  readonly programs: ProgramSearch;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export type CheckWishes = Pick<RestoreDrillOptions, 'check_relations' | 'check_checksums' | 'queries'>;

/** A check that cannot be made here; that is not held against the backup, and proves nothing. */
class Skipped extends Error {}

const saidCharactersMax = 500;
/** pg_amcheck: it has looked at everything, and found something. */
const exitCorrupt = 2;

/** Looks at a restored server from inside. Nothing that it finds rejects. */
export async function checkRunning(server: ScratchServer, wishes: CheckWishes, deps: CheckDeps): Promise<DrillCheck[]> {
  const checks = [await timed('databases', deps, () => readCatalogs(server, deps))];
  if (wishes.check_relations) checks.push(await timed('relations', deps, () => checkRelations(server, deps)));
  for (const [at, query] of wishes.queries.entries()) checks.push(await timed(`query ${at + 1}`, deps, () => ask(server, query, deps)));
  return checks;
}

/** Looks at the files of a restored server that has been shut down. */
export async function checkFiles(
  {
    dataDirectory,
    owner,
    hasChecksums,
  }: { readonly dataDirectory: string; readonly owner: Owner | undefined; readonly hasChecksums: boolean },
  wishes: CheckWishes,
  deps: CheckDeps,
): Promise<DrillCheck[]> {
  if (!wishes.check_checksums) return [];
  const check = async () => {
    if (!hasChecksums) throw new Skipped('the cluster has no page checksums');
    const { code, stdout, stderr } = await run('pg_checksums', ['--check', '--pgdata', dataDirectory], deps, owner);
    if (code !== 0) throw new Error(said(stderr || stdout));
  };
  return [await timed('checksums', deps, check)];
}

async function timed(name: string, { clock, signal }: CheckDeps, check: () => Promise<void>): Promise<DrillCheck> {
  const begunMs = clock.monotonicMs();
  const outcome = (result: DrillCheck['result'], because: string | null): DrillCheck => {
    return { name, result, because, seconds: Math.round(clock.monotonicMs() - begunMs) / 1000 };
  };
  try {
    await check();
    return outcome('passed', null);
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Skipped
      ? outcome('skipped', error.message)
      : outcome('failed', isOperatorError(error) ? explain(error) : messageOf(error));
  }
}

/** Every database lets somebody in, and has its catalogue. */
async function readCatalogs(server: ScratchServer, { signal }: CheckDeps): Promise<void> {
  await using first = await server.connect('template1', signal);
  const databases = await first.query<{ datname: string }>('SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1');
  for (const { datname } of databases) {
    await using connection = await server.connect(datname, signal);
    await connection.query('SELECT count(*) FROM pg_catalog.pg_class, pg_catalog.pg_namespace WHERE relnamespace = pg_namespace.oid');
  }
}

/** The extension is installed where it is missing: nobody sees this cluster again. */
async function checkRelations(server: ScratchServer, deps: CheckDeps): Promise<void> {
  const login = formatConninfo(server.conninfo('template1'));
  const flags = ['--all', '--install-missing', '--no-password', '--maintenance-db', login];
  const { host = '', port = '', user = '' } = server.conninfo('template1');
  const { code, stdout, stderr } = await run('pg_amcheck', [...flags, '--host', host, '--port', port, '--username', user], deps);
  if (code === 0) return;
  if (code !== exitCorrupt && /extension "amcheck" is not available|could not open extension control file/.test(stderr)) {
    throw new Skipped('the extension amcheck is not installed on this machine');
  }
  throw new Error(said(code === exitCorrupt ? stdout : stderr || stdout));
}

async function ask(server: ScratchServer, { database, sql, expected }: DrillQuery, { signal }: CheckDeps): Promise<void> {
  await using connection = await server.connect(database, signal);
  await connection.query('SET default_transaction_read_only = on');
  const [row] = await connection.query(sql);
  if (expected === null) return;
  const [value] = Object.values(row ?? {});
  const found = textOf(value);
  if (found !== expected)
    throw new Error(`the answer is ${found === null ? 'nothing' : `'${said(found)}'`} instead of '${said(expected)}'`);
}

/** As the driver understands it: `true`, `500`, a moment in ISO 8601, JSON. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  return value instanceof Date ? value.toISOString() : JSON.stringify(value);
}

async function run(name: ProgramName, args: readonly string[], { programs, signal }: CheckDeps, owner?: Owner) {
  const program = await findProgram(name, programs).catch((error: unknown) => {
    if (isOperatorError(error, 'program-missing', 'program-too-old')) throw new Skipped(messageOf(error));
    throw error;
  });
  const result = await runProgram(program.path, args, { signal, env: { ...process.env, LC_ALL: 'C' }, ...owner });
  if (result.signal !== null) throw new OperatorError('drill-failed', `${name} ended with ${result.signal}`);
  return result;
}

function said(text: string): string {
  const trimmed = text.trim();
  return trimmed.length <= saidCharactersMax ? trimmed : `${trimmed.slice(0, saidCharactersMax)}…`;
}
