import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type ProgramResult, runProgram } from '../../src/lib/subprocess.ts';
import type { TestPostgres } from './postgres.ts';
import { type PostgresVersion, postgresBin } from './postgres-binaries.ts';

/** Programs beside the server itself. */
export type ClientProgram = 'pg_amcheck' | 'pg_basebackup' | 'pg_receivewal' | 'pg_resetwal' | 'pg_verifybackup' | 'pg_waldump' | 'pgbench';

/** Where the program of that PostgreSQL is. The embedded server brings none: scripts/install-debian-side.sh unpacks those that match. */
export async function clientProgram(name: ClientProgram, version: PostgresVersion): Promise<string> {
  if (version === '15') return join(await postgresBin('15', ''), name);
  const directory = process.env['PGHOARD_TEST_PG18_BIN'];
  assert(
    directory,
    'PGHOARD_TEST_PG18_BIN must name the directory that "sh scripts/install-debian-side.sh postgresql-18" prints, as npm test does',
  );
  return join(directory, name);
}

/** Runs a program to its end and expects it to succeed. */
export async function runClientProgram(name: ClientProgram, version: PostgresVersion, args: readonly string[]): Promise<ProgramResult> {
  const result = await runProgram(await clientProgram(name, version), args);
  assert.equal(result.code, 0, `${name} ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
  return result;
}

/** Arguments that lead a program to the server. */
export function connectionFlags({ socketDirectory, port }: TestPostgres): string[] {
  return ['--host', socketDirectory, '--port', String(port), '--username', 'postgres'];
}
