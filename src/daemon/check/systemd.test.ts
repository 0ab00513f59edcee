import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeUnits } from './systemd.ts';
import { parseUnits } from './systemd-units.ts';

const request = { configFile: '/etc/pghoard.json', program: '/opt/pghoard/bin/pghoard', user: 'postgres' };

function block(changes: Record<string, string> = {}): string {
  const properties = {
    Restart: 'always',
    NRestarts: '0',
    ExecStart:
      '{ path=/opt/pghoard/bin/pghoard ; argv[]=/opt/pghoard/bin/pghoard --config /etc/pghoard.json ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }',
    Type: 'notify',
    NotifyAccess: 'all',
    User: 'postgres',
    Id: 'pghoard.service',
    ActiveState: 'active',
    UnitFileState: 'enabled',
    ...changes,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

const other = block({ Id: 'ssh.service', ExecStart: '{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D ; ignore_errors=no ; pid=1 }' });

function judged(...blocks: string[]): string[] {
  return judgeUnits(parseUnits(`${blocks.join('\n\n')}\n`), request).map(
    ({ id, result, about, remedy }) => `${id} ${result} ${about ?? '-'}: ${remedy[0] ?? ''}`,
  );
}

test('a unit that is as it should be, among others', () => {
  assert.deepEqual(judged(other, block()), [
    'unit ok pghoard.service: ',
    'unit-enabled ok pghoard.service: ',
    'unit-restart ok pghoard.service: ',
  ]);
});

test('a unit that does not run, is not enabled, is not started again, and runs as root', () => {
  assert.deepEqual(judged(block({ ActiveState: 'failed', UnitFileState: 'disabled', Restart: 'no', User: '' }), other), [
    'unit failure pghoard.service: systemctl start pghoard.service',
    'unit-enabled warning pghoard.service: systemctl enable pghoard.service',
    'unit-restart warning pghoard.service: Restart=always',
    'unit-user note pghoard.service: User=postgres',
  ]);
});

test('a unit of the original, which waits for a word of the main process alone', () => {
  const notify = (changes: Record<string, string>) => judged(block(changes)).filter((text) => text.startsWith('unit-notify'));
  const failure = ['unit-notify failure pghoard.service: NotifyAccess=all'];
  assert.deepEqual(notify({ NotifyAccess: 'main' }), failure);
  assert.deepEqual(notify({ Type: 'notify-reload', NotifyAccess: 'none' }), failure);
  assert.deepEqual(notify({ Type: 'simple', NotifyAccess: 'none' }), []);
  assert.deepEqual(notify({ NotifyAccess: 'main', User: '' }), []);
});

test('the configuration file may be given in every way that the daemon takes it', () => {
  for (const args of [
    '/etc/pghoard.json',
    '-s /etc/pghoard.json',
    '--config=/etc/pghoard.json',
    '--short-log --config /etc/../etc/pghoard.json',
  ]) {
    const started = `{ path=/usr/bin/pghoard ; argv[]=/usr/bin/pghoard ${args} ; flags= ; pid=1 }`;
    assert.equal(judged(block({ ExecStart: started }))[0], 'unit ok pghoard.service: ', args);
  }
});

test('a unit with another configuration, or none that is named', () => {
  const command = (args: string) => block({ ExecStart: `{ path=/usr/bin/pghoard ; argv[]=/usr/bin/pghoard${args} ; ignore_errors=no }` });
  assert.deepEqual(judged(command(' --config /etc/other.json')), ['unit warning pghoard.service: systemctl edit pghoard.service']);
  assert.deepEqual(judged(command('')), ['unit warning pghoard.service: systemctl edit pghoard.service']);
});

test('no unit: a hint with one that would be right', () => {
  for (const found of [
    judgeUnits(parseUnits(other), request),
    judgeUnits(parseUnits(''), request),
    judgeUnits(parseUnits('nonsense'), request),
  ]) {
    assert.deepEqual([found.length, found[0]?.result], [1, 'note']);
    assert.ok(found[0]?.remedy.includes('  ExecStart=/opt/pghoard/bin/pghoard --config /etc/pghoard.json'));
    assert.ok(found[0]?.remedy.includes('  User=postgres'));
  }
});

test('a check that a timer runs is no daemon', () => {
  const started = '{ path=/usr/bin/pghoard ; argv[]=/usr/bin/pghoard check --config /etc/pghoard.json ; ignore_errors=no }';
  assert.deepEqual(judged(block({ ExecStart: started }))[0]?.split(' ')[1], 'note');
});
