import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { signalProcess } from '../../../test/support/process-tree.ts';
import { Rsyslogd } from '../../../test/support/services/rsyslogd.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import type { LogRecord } from './record.ts';
import type { SyslogAddress } from './syslog-address.ts';
import { SyslogSender } from './syslog-sender.ts';

let rsyslogd: Rsyslogd;
before(async () => void (rsyslogd = await Rsyslogd.start()));
after(() => rsyslogd[Symbol.asyncDispose]());

class Bench implements AsyncDisposable {
  readonly told: string[] = [];
  readonly sender: SyslogSender;

  constructor(address: SyslogAddress) {
    const tell = (level: string, fields: object, message: string) => this.told.push(`${level} ${message} ${JSON.stringify(fields)}`);
    this.sender = new SyslogSender({ address, facility: 'local2' }, { tell });
  }

  send(message: string, level: LogRecord['level'] = 'INFO', fields: LogRecord['fields'] = {}): void {
    this.sender.send({ time: new Date(), level, message, fields });
  }

  async tells(wanted: RegExp): Promise<string> {
    const what = () => `it tells ${wanted}: ${this.told.join('\n')}`;
    return waitFor(() => this.told.find((line) => wanted.test(line)), { withinMs: 30_000, what });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.sender.close();
  }
}

const addresses: Readonly<Record<SyslogAddress['kind'], () => SyslogAddress>> = {
  unix: () => ({ kind: 'unix', path: rsyslogd.socket }),
  udp: () => ({ kind: 'udp', host: 'localhost', port: rsyslogd.port }),
  tcp: () => ({ kind: 'tcp', host: '127.0.0.1', port: rsyslogd.port }),
};
const inputs = { unix: 'imuxsock', udp: 'imudp', tcp: 'imtcp' } as const;

for (const [kind, address] of Object.entries(addresses)) {
  test(`${kind}: rsyslogd understands facility, severity, program, process, time and text, and has every message before we close`, async () => {
    const from = new Date();
    const bench = new Bench(address());
    const levels = { DEBUG: 'debug', INFO: 'info', WARNING: 'warning', ERROR: 'err', CRITICAL: 'crit' } as const;
    for (const level of Object.keys(levels) as LogRecord['level'][])
      bench.send(`ünï ${kind} [x] <y>: 100 % ${level}`, level, { site: 'a b', n: 7 });
    bench.send(`first line ${kind}\n  because: second line\n  hint: third`, 'ERROR');
    bench.send(`long ${kind} ${'x'.repeat(20_000)}`);
    await bench.sender.close();
    const input = inputs[kind as SyslogAddress['kind']];
    for (const [level, severity] of Object.entries(levels)) {
      const line = await rsyslogd.received(new RegExp(`${kind} .*100 % ${level}`));
      const [seenInput, priority, program, pid, time, ...text] = line.split(' ');
      assert.deepEqual([seenInput, priority, program, pid], [input, `local2.${severity}`, 'pghoard', String(process.pid)]);
      assert.equal(text.join(' '), `${level}: ünï ${kind} [x] <y>: 100 % ${level} site="a b" n=7`);
      const ageMs = Math.abs(new Date(time ?? '').getTime() - from.getTime());
      assert.ok(ageMs < 60_000, line);
    }
    assert.match(await rsyslogd.received(new RegExp(`first line ${kind}`)), /ERROR: first line \w+; because: second line; hint: third$/);
    assert.ok((await rsyslogd.received(new RegExp(`long ${kind} xxx`))).length > 4_000);
  });
}

test('a server that is away for a while is told of, and gets what waited for it, also by TCP and a socket of Unix', async () => {
  await using tcp = new Bench(addresses.tcp());
  await using unix = new Bench(addresses.unix());
  tcp.send('before tcp');
  unix.send('before unix');
  await rsyslogd.received(/before tcp/);
  await rsyslogd.received(/before unix/);
  await rsyslogd.stop();
  unix.send('notices that it is gone');
  await Promise.all([tcp.tells(/^WARNING syslog gets no messages/), unix.tells(/^WARNING syslog gets no messages/)]);
  tcp.send('meanwhile tcp');
  unix.send('meanwhile unix');
  await rsyslogd.launch();
  await rsyslogd.received(/meanwhile tcp/);
  await rsyslogd.received(/meanwhile unix/);
  assert.match(await tcp.tells(/^INFO/), /^INFO syslog gets messages again {"lost":0}$/);
  await unix.tells(/^INFO syslog gets messages again/);
  assert.equal(tcp.told.length, 2, 'once, however often it was tried');
});

test('a server that takes nothing for long costs a bounded number of messages, which is told once it takes them again', async () => {
  const stuck: Socket[] = [];
  const server = createServer((socket) => void stuck.push(socket.pause().on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using bench = new Bench({ kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  await waitFor(() => stuck.length === 1, { withinMs: 10_000, what: 'it connects' });
  const sent = 40_000;
  const text = 'x'.repeat(200);
  for (let n = 1; n <= sent; n++) bench.send(`${n} ${text}`);
  await assert.doesNotReject(bench.tells(/^WARNING syslog does not take messages/));
  let received = '';
  stuck[0]
    ?.setEncoding('utf8')
    .on('data', (chunk: string) => (received += chunk))
    .resume();
  const lost = Number(/"lost":(\d+)/.exec(await bench.tells(/^INFO/))?.[1]);
  await waitFor(() => received.includes(` INFO: ${sent} `), { withinMs: 10_000, what: 'the newest arrives' });
  const arrived = received.trimEnd().split('\n').length;
  assert.ok(lost > 10_000 && arrived + lost === sent, `${arrived} arrived, ${lost} lost`);
  stuck[0]?.destroy();
  server.close();
});

test('where the program logger is stuck, as no one reads the socket, nobody waits', async () => {
  await using bench = new Bench(addresses.unix());
  bench.send('not stuck yet');
  await rsyslogd.received(/not stuck yet/);
  signalProcess(rsyslogd.pid, 'SIGSTOP');
  const begun = performance.now();
  for (let n = 1; n <= 20_000; n++) bench.send(`stuck ${n} ${'y'.repeat(100)}`);
  assert.ok(performance.now() - begun < 5_000);
  await bench.tells(/^WARNING syslog does not take messages/);
  signalProcess(rsyslogd.pid, 'SIGCONT');
  await rsyslogd.received(/stuck 20000 y/);
  await bench.tells(/^INFO syslog gets messages again {"lost":\d+}/);
});

test('what cannot be used is told once, with the reason', async () => {
  const wrong: readonly [SyslogAddress, RegExp][] = [
    [{ kind: 'unix', path: '/nonexistent/log' }, /No such file or directory/],
    [{ kind: 'tcp', host: '127.0.0.1', port: 1 }, /ECONNREFUSED/],
    [{ kind: 'udp', host: '127.0.0.1', port: 1 }, /ECONNREFUSED/],
    [{ kind: 'udp', host: 'nobody.invalid', port: 514 }, /nobody\.invalid/],
  ];
  for (const [address, reason] of wrong) {
    await using bench = new Bench(address);
    const again = setInterval(() => bench.send('to nobody'), 100);
    assert.match(await bench.tells(/^WARNING/), reason);
    clearInterval(again);
  }
});
