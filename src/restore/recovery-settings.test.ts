import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RecoveryWishes, recoveryFiles } from './recovery-settings.ts';
import { reachableHost, restoreCommand } from './restore-command.ts';
import { formatSetting, parseSettings } from './settings-text.ts';
import { parseTargetTime } from './target-time.ts';

const nothing = { autoConf: '', postgresqlConf: '' };
const standby: RecoveryWishes = { target: { kind: 'latest' }, targetAction: 'promote', timeline: 'latest', toPrimary: false };
const primary: RecoveryWishes = { ...standby, toPrimary: true };

function settings(version: number, wishes: RecoveryWishes, existing = nothing): Record<string, string> {
  return Object.fromEntries(parseSettings(recoveryFiles(version, wishes, 'fetch %f %p', existing).settingsText));
}

const files: [version: number, wishes: RecoveryWishes, settingsFile: string, signalFile: string | undefined][] = [
  [150_018, standby, 'postgresql.auto.conf', 'standby.signal'],
  [150_018, primary, 'postgresql.auto.conf', 'recovery.signal'],
  [120_000, primary, 'postgresql.auto.conf', 'recovery.signal'],
  [110_022, standby, 'recovery.conf', undefined],
  [90_605, primary, 'recovery.conf', undefined],
];
for (const [version, wishes, settingsFile, signalFile] of files) {
  test(`${version} to ${wishes.toPrimary ? 'primary' : 'standby'}: ${settingsFile} and ${signalFile ?? 'no signal'}`, () => {
    const made = recoveryFiles(version, wishes, '', nothing);
    assert.deepEqual([made.settingsFile, made.signalFile], [settingsFile, signalFile]);
  });
}

test('the file that promotes is named as each version wants it', () => {
  assert.equal(settings(90_605, standby)['trigger_file'], 'trigger_file');
  assert.equal(settings(150_000, standby)['promote_trigger_file'], 'trigger_file');
  assert.equal(settings(150_000, primary)['promote_trigger_file'], undefined);
  assert.equal(settings(160_000, standby)['promote_trigger_file'], undefined);
});

test('recovery.conf says whether it is a standby', () => {
  assert.equal(settings(90_605, standby)['standby_mode'], 'on');
  assert.equal(settings(90_605, primary)['standby_mode'], 'off');
});

test('the timeline, in the words of each version', () => {
  assert.equal(settings(150_018, primary)['recovery_target_timeline'], 'latest');
  assert.equal(settings(110_022, { ...primary, timeline: '7' })['recovery_target_timeline'], '7');
  assert.equal(settings(150_018, { ...primary, timeline: 'current' })['recovery_target_timeline'], 'current');
  assert.equal(settings(110_022, { ...primary, timeline: 'current' })['recovery_target_timeline'], undefined);
});

test('the action at the target, in the words of each version', () => {
  assert.equal(settings(90_500, { ...standby, targetAction: 'shutdown' })['recovery_target_action'], 'shutdown');
  assert.equal(settings(90_305, { ...standby, targetAction: 'pause' })['pause_at_recovery_target'], 'true');
  assert.equal(settings(90_305, { ...standby, targetAction: 'promote' })['pause_at_recovery_target'], undefined);
});

test('a target is set last, the other targets are emptied before it', () => {
  const wishes: RecoveryWishes = { ...primary, target: { kind: 'time', time: parseTargetTime('2026-11-22 14:03:00.5+02', new Date(0)) } };
  const { settingsText } = recoveryFiles(150_000, wishes, 'x', nothing);
  const targets = [...settingsText.matchAll(/^(recovery_target(?:_lsn|_name|_time|_xid)?) = '(.*)'$/gm)].map(
    ([, name, value]) => `${name}=${value}`,
  );
  assert.deepEqual(targets, [
    'recovery_target=',
    'recovery_target_lsn=',
    'recovery_target_name=',
    'recovery_target_xid=',
    'recovery_target_time=2026-11-22 12:03:00.500000+00:00',
  ]);
});

test('a target that is left out itself, and one that is a position', () => {
  const exclusive = settings(150_018, { ...primary, target: { kind: 'lsn', lsn: 0x16_b374_d848n, isExclusive: true } });
  assert.deepEqual([exclusive['recovery_target_lsn'], exclusive['recovery_target_inclusive']], ['16/B374D848', 'off']);
  const inclusive = settings(150_018, { ...primary, target: { kind: 'xid', xid: '5', isExclusive: false } });
  assert.deepEqual([inclusive['recovery_target_xid'], inclusive['recovery_target_inclusive']], ['5', undefined]);
});

test('what postgresql.auto.conf had is kept, except for what belongs to another recovery', () => {
  const autoConf = "work_mem = '8MB'\nrecovery_target_xid = '5'\nprimary_conninfo = 'host=old'\n# a comment";
  const { settingsText } = recoveryFiles(150_000, primary, 'x', { ...nothing, autoConf });
  const now = parseSettings(settingsText);
  assert.equal(now.get('work_mem'), '8MB');
  assert.equal(now.get('recovery_target_xid'), '');
  assert.equal(now.has('primary_conninfo'), false);
  assert.match(settingsText, /^# set aside by pghoard_restore: recovery_target_xid = '5'$/m);
  assert.match(settingsText, /^# a comment$/m);
});

test('what postgresql.conf sets for another recovery is taken back, and only that', () => {
  const postgresqlConf = "primary_slot_name = 'a'\nArchive_Cleanup_Command 'rm %r'\nport = 5433\n#restore_command = 'x'\n";
  const now = settings(150_000, primary, { ...nothing, postgresqlConf });
  assert.equal(now['primary_slot_name'], '');
  assert.equal(now['archive_cleanup_command'], '');
  assert.equal(now['recovery_min_apply_delay'], undefined);
  assert.equal(now['port'], undefined);
});

test('quotes, backslashes and newlines survive a settings file', () => {
  for (const value of ["it's", 'a\\b', "\\'", 'two\nlines', '', 'x # y']) {
    assert.equal(parseSettings(formatSetting('recovery_end_command', value)).get('recovery_end_command'), value);
  }
  const wishes = { ...standby, primaryConninfo: "host='/tmp/x' password='a\\'b'" };
  assert.equal(settings(150_000, wishes)['primary_conninfo'], wishes.primaryConninfo);
});

test('settings files are read as PostgreSQL reads them', () => {
  const text = "a=1\n b = 'x''y' # comment\nC 5min\n#d = 1\ne = 'o\\047k'\na = 2\ninclude_if_exists 'x.conf'\nbad\n";
  assert.deepEqual(Object.fromEntries(parseSettings(text)), { a: '2', b: "x'y", c: '5min', e: "o'k", include_if_exists: 'x.conf' });
});

const plain = { program: 'pghoard_postgres_command', site: 'main', port: 16000, host: '127.0.0.1' };
const commands: [what: string, source: Parameters<typeof restoreCommand>[0], command: string][] = [
  ['as the original writes it', plain, 'pghoard_postgres_command --mode restore --port 16000 --site main --output %p --xlog %f'],
  [
    'with another host, and a password that does not show',
    { ...plain, host: '10.1.2.3', credentials: { username: 'me & you', passwordFile: 'pg_pw' } },
    `PGHOARD_USERNAME='me & you' PGHOARD_PASSWORD="$(cat pg_pw)" pghoard_postgres_command --mode restore --host 10.1.2.3 --port 16000 --site main --output %p --xlog %f`,
  ],
  [
    'words that the shell or PostgreSQL would read otherwise are quoted',
    { ...plain, program: "/opt/my pg's/100%/cmd", site: '$(x)' },
    `'/opt/my pg'\\''s/100%%/cmd' --mode restore --port 16000 --site '$(x)' --output %p --xlog %f`,
  ],
];
for (const [what, source, command] of commands) {
  test(`restore_command: ${what}`, () => assert.equal(restoreCommand(source), command));
}

test('a server that listens everywhere is reached on this machine', () => {
  for (const address of ['', '0.0.0.0', '::']) assert.equal(reachableHost(address), '127.0.0.1');
  assert.equal(reachableHost('192.168.1.5'), '192.168.1.5');
});
