import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyBoth, keepalive, report, ScriptedWalsender, said, timelineEnd, wal } from '../../test/support/scripted-walsender.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { explain, isOperatorError, type OperatorError } from '../lib/errors.ts';
import type { ReplicationStream } from './replication-stream.ts';
import { type ReplicationOptions, startReplication } from './start-replication.ts';

const start = { startLsn: 0x1000n, timeline: 3, slot: 'a"b' };

/** A hundred times as fast as the real one. */
const hurriedClock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * 100,
  sleep: (ms, signal) => systemClock.sleep(ms / 100, signal),
};

/** The stream after the server has said `first`. */
async function streamOf(server: ScriptedWalsender, first: readonly Buffer[], options: ReplicationOptions = {}): Promise<ReplicationStream> {
  const started = startReplication(server.connection, start, options);
  server.say(...first);
  return started;
}

/** What comes out of the stream until it ends, in short. */
async function told(stream: ReplicationStream): Promise<string[]> {
  const all: string[] = [];
  for (let message = await stream.next(); message !== undefined; message = await stream.next()) {
    if (message.kind === 'wal') all.push(`${message.startLsn.toString(16)}:${Buffer.from(message.bytes).toString()}`);
    else all.push(`${message.kind} ${message.serverEnd.toString(16)}${message.replyRequested ? '?' : ''}`);
  }
  return all;
}

async function failureOf(work: Promise<unknown>): Promise<OperatorError> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  assert(isOperatorError(error), `expected an OperatorError, got ${String(error)}`);
  return error;
}

test('the command, and what a timeline brings up to its end', async () => {
  const server = new ScriptedWalsender();
  const first = [copyBoth, wal(0x1000n, 'abc'), report('N', '00000', 'by the way'), wal(0x1003n, 'de'), keepalive(0x1005n, true)];
  await using stream = await streamOf(server, [...first, said('S', 'TimeZone\0UTC\0'), said('c'), timelineEnd('4', '0/1005')]);
  assert.deepEqual(await told(stream), ['1000:abc', '1003:de', 'keepalive 1005?']);
  assert.deepEqual(await stream.end(), { nextTimeline: 4, switchLsn: 0x1005n });
  assert.equal(await stream.next(), undefined);
  const [command, answer] = await server.hears(2);
  assert.deepEqual(command, { type: 'Q', body: Buffer.from('START_REPLICATION SLOT "a""b" PHYSICAL 0/1000 TIMELINE 3\0') });
  assert.equal(answer?.type, 'c');
});

test('a conversation comes out the same wherever it is split', async () => {
  const whole = Buffer.concat([
    copyBoth,
    wal(0x1000n, 'abc'),
    keepalive(0x1003n),
    wal(0x1003n, 'd'),
    said('c'),
    timelineEnd('4', '0/1002'),
  ]);
  for (let split = 0; split <= whole.length; split++) {
    await using stream = await streamOf(new ScriptedWalsender(), [whole.subarray(0, split), whole.subarray(split)]);
    assert.deepEqual(await told(stream), ['1000:abc', 'keepalive 1003', '1003:d'], `split at ${split}`);
    assert.deepEqual(await stream.end(), { nextTimeline: 4, switchLsn: 0x1002n });
  }
});

test('a timeline that ends at the start, and a server that shuts down', async () => {
  await using ended = await streamOf(new ScriptedWalsender(), [timelineEnd('5', '0/1000')]);
  assert.equal(await ended.next(), undefined);
  assert.deepEqual(await ended.end(), { nextTimeline: 5, switchLsn: 0x1000n });

  const server = new ScriptedWalsender();
  await using stream = await streamOf(server, [copyBoth, wal(0x1000n, 'x'), said('C', 'COPY 0\0')]);
  server.hangUp();
  assert.throws(() => stream.end(), /has not ended/);
  assert.deepEqual(await told(stream), ['1000:x']);
  assert.equal(await stream.end(), undefined);
});

/** What a server says after START_REPLICATION; `gone`: it closes the connection then. */
const failures: readonly (readonly [what: string, says: readonly Buffer[], code: string, text: RegExp, gone?: 'gone'])[] = [
  [
    'the first WAL comes from further on',
    [copyBoth, wal(0x1001n, 'x')],
    'postgres-protocol',
    /WAL from 0\/1001 on where 0\/1000 comes next/,
  ],
  ['the first WAL comes from before', [copyBoth, wal(0xfffn, 'x')], 'postgres-protocol', /WAL from 0\/FFF on/],
  ['WAL is left out', [copyBoth, wal(0x1000n, 'x'), wal(0x1002n, 'x')], 'postgres-protocol', /0\/1002 on where 0\/1001/],
  ['WAL comes twice', [copyBoth, wal(0x1000n, 'x'), wal(0x1000n, 'x')], 'postgres-protocol', /0\/1000 on where 0\/1001/],
  ['WAL without any', [copyBoth, wal(0x1000n, '')], 'postgres-protocol', /WAL message of 25 bytes/],
  ['an unknown message', [copyBoth, said('!')], 'postgres-protocol', /0x21 in answer to streaming/],
  ['an unknown replication message', [copyBoth, said('d', 'z')], 'postgres-protocol', /replication message of type "z"/],
  ['WAL that nobody announced', [wal(0x1000n, 'x')], 'postgres-protocol', /"d" in answer to START_REPLICATION/],
  ['an impossible length', [copyBoth, Buffer.from('d\0\0\0\x01')], 'postgres-protocol', /length as 1/],
  ['a huge message', [copyBoth, Buffer.from('d\x7f\0\0\0')], 'postgres-protocol', /claims 2130706432 bytes/],
  ['an older timeline follows', [copyBoth, said('c'), timelineEnd('3', '0/1000')], 'postgres-protocol', /timeline 3 after timeline 3/],
  ['a later place follows', [copyBoth, said('c'), timelineEnd('4', '0/1001')], 'postgres-protocol', /begins at 0\/1001.*ended at 0\/1000/],
  ['WAL follows the end', [copyBoth, said('c'), wal(0x1000n, 'x')], 'postgres-protocol', /"d" in answer to the end of the timeline/],
  ['cut off in a message', [copyBoth, wal(0x1000n, 'xyz').subarray(0, 31)], 'postgres-unreachable', /was lost/, 'gone'],
  ['cut off before streaming', [], 'postgres-unreachable', /was lost/, 'gone'],
  ['cut off at the end', [copyBoth, said('c')], 'postgres-unreachable', /was lost/, 'gone'],
  ['a remark, then silence', [copyBoth, report('N', '57P02', 'I crash')], 'postgres-unreachable', /lost.*I crash/s, 'gone'],
  ['ended by an administrator', [copyBoth, report('E', '57P01', 'go away')], 'postgres-unreachable', /go away/, 'gone'],
  [
    'WAL is gone',
    [copyBoth, report('E', '58P01', `requested WAL segment ${'0'.repeat(24)} has already been removed`)],
    'wal-removed',
    /0{24}/,
  ],
  [
    'WAL is gone, in German',
    [copyBoth, report('E', '58P01', 'das angeforderte WAL-Segment wurde schon entfernt')],
    'wal-removed',
    /entfernt/,
  ],
  ['no slot', [report('E', '42704', 'replication slot "s" does not exist')], 'slot-missing', /slot s /],
  ['no slot, in German', [report('E', '42704', 'Replikations-Slot existiert nicht')], 'slot-missing', /existiert nicht/],
  ['a slot in use', [report('E', '55006', 'replication slot "s" is active for PID 12')], 'slot-in-use', /process 12 /],
  ['a lost slot', [report('E', '55000', 'can no longer access replication slot "s"')], 'slot-lost', /slot s /],
  ['a logical slot', [report('E', '55000', 'cannot use a logical replication slot')], 'postgres-error', /logical/],
  [
    'diverged',
    [report('E', 'XX000', `requested starting point 0/1000 on timeline 3 is not in this server's history`)],
    'wal-diverged',
    /0\/1000/,
  ],
  [
    'an unknown timeline',
    [report('E', 'XX000', `requested timeline 3 is not in this server's history`)],
    'wal-timeline-ahead',
    /timeline 3/,
  ],
  ['anything else', [report('E', 'XX001', 'kaputt')], 'postgres-error', /nobody reports: kaputt \(SQLSTATE XX001\)/],
];

for (const [what, says, code, text, gone] of failures) {
  test(`${code}: ${what}`, async () => {
    const server = new ScriptedWalsender();
    const started = streamOf(server, says);
    if (gone) server.hangUp();
    const error = await failureOf(started.then(told));
    assert.equal(error.code, code, explain(error));
    assert.match(explain(error), text);
    assert.equal(error.retryable, ['postgres-unreachable', 'slot-in-use'].includes(code));
    await waitFor(() => server.socket.destroyed, { withinMs: 30_000, everyMs: 1, what: 'the connection is not kept' });
    const again = await started.catch(() => undefined);
    if (again) assert.equal(await failureOf(again.next()), error);
  });
}

test('nothing is read that nobody asks for, beyond a few pieces', async () => {
  const server = new ScriptedWalsender();
  const piece = 60_000;
  const count = 50;
  await using stream = await streamOf(server, [copyBoth]);
  for (let n = 0; n < count; n++) server.say(wal(0x1000n + BigInt(n * piece), Buffer.alloc(piece, n)));
  server.say(said('C', 'COPY 0\0'));
  for (let n = 0; n < count; n++) {
    const message = await stream.next();
    assert(message?.kind === 'wal');
    assert(Buffer.alloc(piece, n).equals(message.bytes));
    const unread = count - n - 1 - server.socket.writableLength / piece;
    assert(unread < 8, `${unread} messages were read ahead`);
  }
  assert.equal(await stream.next(), undefined);
});

const at = (lsn: bigint) => ({ written: lsn, flushed: lsn, applied: 0n });

test('a server that does not read gets the newest status, not all that it missed', async () => {
  const server = new ScriptedWalsender({ isDeaf: true });
  await using stream = await streamOf(server, [copyBoth]);
  for (let lsn = 1n; lsn <= 1000n; lsn++) stream.sendStatus(at(lsn));
  server.listen();
  await waitFor(() => server.heard.some(({ body }) => body.includes(statusOf(1000n))), { withinMs: 30_000, what: 'the newest status' });
  assert(server.heard.length < 10, `${server.heard.length} messages`);
});

test('the newest status is not forgotten at the end', async () => {
  const server = new ScriptedWalsender({ isDeaf: true });
  const stream = await streamOf(server, [copyBoth]);
  for (let lsn = 1n; lsn <= 100n; lsn++) stream.sendStatus(at(lsn));
  const disposed = stream[Symbol.asyncDispose]();
  server.listen();
  await disposed;
  assert.deepEqual(
    server.heard.slice(-3).map(({ type }) => type),
    ['d', 'c', 'X'],
  );
  assert(server.heard.at(-3)?.body.includes(statusOf(100n)));
  await stream[Symbol.asyncDispose]();
  stream.sendStatus(at(101n));
});

test('a server that says nothing is asked for a sign of life, then given up', async () => {
  const server = new ScriptedWalsender();
  await using stream = await streamOf(server, [copyBoth], { silenceMsMax: 60_000, clock: hurriedClock });
  stream.sendStatus(at(7n));
  const error = await failureOf(stream.next());
  const [, status, question, ...more] = server.heard;
  assert.equal(status?.body.at(33), 0);
  assert.equal(question?.body.at(33), 1, 'a reply is asked for');
  assert(question.body.includes(statusOf(7n)));
  assert.deepEqual(more, []);
  assert.equal(error.code, 'postgres-unreachable');
  assert.equal(error.retryable, true);
  assert.match(explain(error), /said nothing for 60 seconds/);
});

test('a server that answers is not given up, nor one that nobody waits for', async () => {
  const server = new ScriptedWalsender();
  await using stream = await streamOf(server, [copyBoth], { silenceMsMax: 20_000, clock: hurriedClock });
  for (let round = 1; round <= 4; round++) {
    const next = stream.next();
    assert.equal((await server.hears(1 + round)).at(-1)?.body.at(33), 1);
    server.say(keepalive(BigInt(round)));
    assert.deepEqual(await next, { kind: 'keepalive', serverEnd: BigInt(round), replyRequested: false });
  }
  await hurriedClock.sleep(30_000);
  server.say(keepalive(5n));
  assert.equal((await stream.next())?.kind, 'keepalive');
});

test('a server that does not start streaming is given up', async () => {
  const error = await failureOf(startReplication(new ScriptedWalsender().connection, start, { clock: hurriedClock }));
  assert.match(explain(error), /said nothing for 60 seconds/);
});

test('an abort ends waiting at once, disposing says goodbye', async () => {
  const server = new ScriptedWalsender();
  const abort = new AbortController();
  const stream = await streamOf(server, [copyBoth, wal(0x1000n, 'x')], { signal: abort.signal });
  assert.equal((await stream.next())?.kind, 'wal');
  const waiting = stream.next();
  const reason = new Error('enough');
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(stream.next(), reason);
  server.say(wal(0x1001n, 'still under way'), said('c'));
  await stream[Symbol.asyncDispose]();
  assert.deepEqual(
    server.heard.map(({ type }) => type),
    ['Q', 'c', 'X'],
  );
  await assert.rejects(startReplication(new ScriptedWalsender().connection, start, { signal: abort.signal }), reason);
});

test('a server that does not say goodbye is left', async () => {
  const server = new ScriptedWalsender({ isDeaf: true });
  const stream = await streamOf(server, [copyBoth], { clock: hurriedClock });
  await stream[Symbol.asyncDispose]();
  assert.equal(server.socket.destroyed, true);
  assert.match(explain(await failureOf(stream.next())), /has been closed/);
});

/** The positions in a status update for {@link at}. */
function statusOf(lsn: bigint): Buffer {
  const positions = Buffer.alloc(24);
  positions.writeBigUInt64BE(lsn);
  positions.writeBigUInt64BE(lsn, 8);
  return positions;
}
