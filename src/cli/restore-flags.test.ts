import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { formatTargetTime } from '../restore/target-time.ts';
import { type GetFlags, parseRestoreFlags } from './restore-flags.ts';
import { restoreRequest } from './restore-request.ts';

const noEnvironment = {};

function get(...argv: string[]): GetFlags {
  const command = parseRestoreFlags(['get-basebackup', '--config', 'c', '--target-dir', '/data', ...argv], noEnvironment);
  return command.do === 'get-basebackup' ? command.flags : assert.fail(`understood as ${command.do}`);
}

const understood: [argv: string[], expected: Record<string, unknown>][] = [
  [['list-basebackups', '--config', 'c', '--site', 's', '-v'], { config: 'c', site: 's', verbose: true }],
  [['--site', 's', '--config=c', 'list-basebackups'], { config: 'c', site: 's' }],
  [['-D', '--status-output-file', 'f', 'list-basebackups', '--config', 'c'], { debug: true, statusOutputFile: 'f' }],
  [['list-basebackups-http', '--site', 's'], { site: 's', host: undefined, port: undefined }],
  [
    ['list-basebackups-http', '--site=s', '--host', 'h', '--port', '1', '--username', 'u', '--password', 'p'],
    { host: 'h', port: 1, username: 'u', password: 'p' },
  ],
];
for (const [argv, expected] of understood) {
  test(`understands: ${argv.join(' ')}`, () => {
    const command = parseRestoreFlags(argv, noEnvironment);
    const flags = command.do === 'exit' ? assert.fail(`exit ${command.code}`) : (command.flags as unknown as Record<string, unknown>);
    for (const [name, value] of Object.entries(expected)) assert.equal(flags[name], value, name);
  });
}

test('the configuration file may come from the environment, and a flag wins over it', () => {
  const env = { PGHOARD_CONFIG: 'env.json' };
  const configs = [['list-basebackups'], ['list-basebackups', '--config', 'c'], ['--config', 'c', 'list-basebackups']].map((argv) => {
    const command = parseRestoreFlags(argv, env);
    return command.do === 'list-basebackups' ? command.flags.config : command.do;
  });
  assert.deepEqual(configs, ['env.json', 'c', 'c']);
});

const refused: [argv: string[], code: number][] = [
  [[], 1],
  [['--help'], 0],
  [['--version'], 0],
  [['get-basebackup', '--help'], 0],
  [['get-backup'], 2],
  [['list-basebackups'], 2],
  [['list-basebackups', '--config', 'c', 'extra'], 2],
  [['list-basebackups-http'], 2],
  [['list-basebackups-http', '--site', 's', '--port', '70000'], 2],
  [['get-basebackup', '--config', 'c'], 2],
  [['get-basebackup', '--config', 'c', '--target-dir', 'd', '--recovery-target-action', 'explode'], 2],
  [['get-basebackup', '--config', 'c', '--target-dir', 'd', '--tablespace-dir', 'nothing'], 2],
];
for (const [argv, code] of refused) {
  test(`exits with ${code}: ${argv.join(' ') || '(nothing)'}`, (context) => {
    context.mock.method(process.stderr, 'write', () => true);
    context.mock.method(process.stdout, 'write', () => true);
    assert.deepEqual(parseRestoreFlags(argv, noEnvironment), { do: 'exit', code });
  });
}

const now = new Date('2026-11-30T12:00:00Z');

test('every flag of get-basebackup reaches the request', () => {
  const where = ['--overwrite', '--tablespace-dir', 'a=/ts/a', '--tablespace-dir', 'b=c=/ts/b', '--tablespace-base-dir', '/ts'];
  const recovering = ['--primary-conninfo', 'host=p', '--recovery-end-command', 'true', '--recovery-target-action', 'pause'];
  const until = ['--recovery-target-time', '2026-11-22 14:03:00+02', '--restore-to-master'];
  const keeping = ['--preserve-until', '2026-12-01', '--no-cancel-preserve-on-success'];
  const request = restoreRequest(
    get('--basebackup', 'b', '--recovery-target-timeline', '7', ...where, ...recovering, ...until, ...keeping),
    now,
  );
  assert.deepEqual(
    [...request.tablespaces.directories],
    [
      ['a', '/ts/a'],
      ['b', 'c=/ts/b'],
    ],
  );
  assert.equal(request.tablespaces.baseDirectory, '/ts');
  const { target, ...recovery } = request.recovery;
  assert.equal(target.kind === 'time' && formatTargetTime(target.time), '2026-11-22 12:03:00+00:00');
  assert.deepEqual(recovery, {
    targetAction: 'pause',
    timeline: '7',
    toPrimary: true,
    primaryConninfo: 'host=p',
    recoveryEndCommand: 'true',
  });
  assert.deepEqual([request.basebackup, request.dataDirectory, request.overwrite], ['b', '/data', true]);
  assert.deepEqual([request.preserveUntil?.toISOString(), request.cancelPreserveOnSuccess], ['2026-12-01T00:00:00.000Z', false]);
});

test('just before a transaction, and a position in the WAL', () => {
  const targetOf = (...argv: string[]) => restoreRequest(get(...argv), now).recovery.target;
  assert.deepEqual(targetOf('--recovery-target-xid', '5', '--recovery-target-exclusive'), { kind: 'xid', xid: '5', isExclusive: true });
  assert.deepEqual(targetOf('--recovery-target-lsn', '16/B374D848'), { kind: 'lsn', lsn: 0x16_b374_d848n, isExclusive: false });
});

test('without flags: the latest backup, to the end of the archive, as a standby', () => {
  const { basebackup, overwrite, recovery, cancelPreserveOnSuccess } = restoreRequest(get(), now);
  assert.deepEqual(
    [basebackup, overwrite, recovery.target.kind, recovery.toPrimary, recovery.targetAction],
    ['latest', false, 'latest', false, 'promote'],
  );
  assert.equal(cancelPreserveOnSuccess, true);
});

const contradictions: [argv: string[], code: string][] = [
  [['--recovery-target-time', '2026-11-22 14:03:00Z', '--recovery-target-xid', '5'], 'target-ambiguous'],
  [['--recovery-target-name', 'a', '--recovery-target-xid', '5'], 'target-ambiguous'],
  [['--recovery-target-time', '2026-11-22 14:03:00'], 'target-time-zone-missing'],
  [['--recovery-target-lsn', '0/5000000', '--recovery-target-immediate'], 'target-ambiguous'],
  [['--recovery-target-name', 'a', '--recovery-target-exclusive'], 'target-ambiguous'],
  [['--recovery-target-exclusive'], 'target-ambiguous'],
  [['--recovery-target-lsn', '5000000'], 'lsn-invalid'],
  [['--recovery-target-xid', 'five'], 'target-xid-invalid'],
  [['--recovery-target-name', ''], 'target-name-invalid'],
  [['--preserve-until', 'tomorrow'], 'preserve-until-invalid'],
];
for (const [argv, code] of contradictions) {
  test(`refused with ${code}: ${argv.join(' ')}`, () => {
    assert.throws(
      () => restoreRequest(get(...argv), now),
      (error) => isOperatorError(error, code),
    );
  });
}
