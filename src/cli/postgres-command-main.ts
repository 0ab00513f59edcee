import { existsSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ask, bodyOf, ConnectionError, isFromPghoard, textOf } from './daemon-request.ts';
import { packageVersion, runCommand } from './main.ts';
import {
  type ParsedCommand,
  type PostgresCommandOptions,
  parseCommand,
  postgresCommandUsage,
  UsageError,
} from './postgres-command-options.ts';
import { ContentError, type PromisedContent, writeOutput } from './postgres-command-output.ts';

/**
 * archive_command and restore_command, for what `bin/pghoard_postgres_command` does not do by itself in bash: its exit codes and messages are
 * these. Started once per WAL file where it is needed at all, so it loads little.
 *
 * PostgreSQL takes 1 to 125 from restore_command as "there is no such file", ends recovery and promotes the server; above 125 it stops.
 * So 4 is said only if the server bears witness that the store has no such file, and whatever else goes wrong is {@link exitCode.abort}.
 * A standby is different: it asks again and again, and stopping it because the archive is away for a moment would be worse.
 */
const exitCode = { ok: 0, unexpected: 2, archiveFailed: 3, notFound: 4, standbyRetry: 5, abort: 255 } as const;

const name = 'pghoard_postgres_command';
const attemptsMax = 3;
const stranger = 'the answer does not come from a pghoard that this command understands';

/** One attempt to restore: done with an exit code, or failed in a way that may pass. */
type Outcome = { readonly code: number; readonly message?: string } | { readonly retryBecause: string };

export function startPostgresCommand(): void {
  runCommand(name, main);
}

async function main(argv: string[]): Promise<number> {
  const command = parse(argv);
  if (command === undefined) return exitCode.abort;
  if (command.do === 'show-help') return print(postgresCommandUsage());
  if (command.do === 'show-version') return print(`${name} ${packageVersion()}`);
  const { options } = command;
  const unexpected = options.mode === 'archive' ? exitCode.unexpected : abortCode(options.xlog);
  process.on('uncaughtException', (error) => {
    complain(String(error));
    process.exit(unexpected);
  });
  try {
    return await (options.mode === 'archive' ? archive(options) : restore(options));
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return unexpected;
  }
}

function parse(argv: string[]): ParsedCommand | undefined {
  try {
    return parseCommand(argv, process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return undefined;
  }
}

async function archive(options: PostgresCommandOptions): Promise<number> {
  const { xlog } = options;
  if (xlog.endsWith('.backup')) return print(`${name}: NOTICE: ${xlog} is a backup history file, which pghoard does not need: skipped`);
  const answer = await ask(options, 'PUT', pathOf(options));
  const text = await textOf(options, answer);
  if (answer.statusCode === 201 && isFromPghoard(answer)) return exitCode.ok;
  complain(answer.statusCode === 201 ? stranger : `archiving ${xlog} failed with HTTP status ${answer.statusCode}: ${text}`);
  return exitCode.archiveFailed;
}

async function restore(options: PostgresCommandOptions): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await tryRestore(options);
    if ('code' in outcome) {
      if (outcome.message !== undefined) complain(outcome.message);
      return outcome.code;
    }
    complain(outcome.retryBecause);
    if (attempt === attemptsMax) return abortCode(options.xlog);
    console.log(`${name}: retrying in ${options.retryIntervalMs / 1000} s (attempt ${attempt} of ${attemptsMax} failed)`);
    await delay(options.retryIntervalMs);
  }
}

async function tryRestore(options: PostgresCommandOptions): Promise<Outcome> {
  try {
    if (options.output === undefined) return await judge(options, await ask(options, 'HEAD', pathOf(options)));
    const answer = await ask(options, 'GET', pathOf(options), { headers: restoreHeaders(resolve(options.output), options.xlog) });
    if (answer.statusCode !== 200) return await judge(options, answer);
    const promised = promisedContent(answer);
    if (promised === undefined) return { code: abortCode(options.xlog), message: stranger };
    await writeOutput(resolve(options.output), bodyOf(options, answer), promised);
    return { code: exitCode.ok };
  } catch (error) {
    if (error instanceof ConnectionError || error instanceof ContentError)
      return { retryBecause: `restoring ${options.xlog}: ${error.message}` };
    throw error;
  }
}

/** PostgreSQL puts what it gets in the place of its own file of that name, which may reach further than the beginning of a segment. */
function restoreHeaders(output: string, xlog: string): Record<string, string> {
  const accept = { accept: 'application/octet-stream' };
  return existsSync(join(dirname(output), xlog)) ? accept : { ...accept, 'x-pghoard-accept-unfinished': 'yes' };
}

function pathOf({ site, xlog }: PostgresCommandOptions): string {
  return `/${site}/archive/${xlog}`;
}

/** What an answer without the file means. */
async function judge(options: PostgresCommandOptions, answer: IncomingMessage): Promise<Outcome> {
  const text = await textOf(options, answer);
  const status = answer.statusCode ?? 0;
  const code = answer.headers['x-pghoard-code'];
  if (status === 200) return isFromPghoard(answer) ? { code: exitCode.ok } : { code: abortCode(options.xlog), message: stranger };
  if (status === 404 && code === 'wal-missing') return { code: exitCode.notFound, message: `${options.xlog} not found from archive` };
  const message = `restoring ${options.xlog} failed with HTTP status ${status}: ${text || String(code ?? 'no reason given')}`;
  return status >= 500 || status === 408 || status === 429 ? { retryBecause: message } : { code: abortCode(options.xlog), message };
}

function promisedContent({ headers }: IncomingMessage): PromisedContent | undefined {
  const bytes = Number(headers['x-pghoard-size']);
  const hash = headers['x-pghoard-hash'];
  const hashAlgorithm = headers['x-pghoard-hash-algorithm'];
  if (!Number.isSafeInteger(bytes) || typeof hash !== 'string' || typeof hashAlgorithm !== 'string') return undefined;
  return { bytes, hash, hashAlgorithm };
}

/** PostgreSQL starts restore_command in its data directory. A standby asks again by itself. */
function abortCode(xlog: string): number {
  return existsSync('standby.signal') || isBeingPromoted(xlog) ? exitCode.standbyRetry : exitCode.abort;
}

/**
 * A server on which recovery has ended asks once more for the history of its timeline, after its signal files are gone. Were it stopped then, it
 * would come up again on the old timeline. If it does not get the history, it reads the copy that it has.
 */
function isBeingPromoted(xlog: string): boolean {
  return xlog.endsWith('.history') && existsSync(join('pg_wal', xlog)) && !existsSync('recovery.signal');
}

function complain(text: string): void {
  console.log(`${name}: ERROR: ${text}`);
}

function print(text: string): number {
  console.log(text);
  return exitCode.ok;
}
