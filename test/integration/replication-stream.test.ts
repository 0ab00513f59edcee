import assert from 'node:assert/strict';
import { appendFile, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { explain, isOperatorError, type OperatorError } from '../../src/lib/errors.ts';
import { type ConnectOptions, connect, type PgConnection } from '../../src/postgres/client.ts';
import type { ConnInfo } from '../../src/postgres/conninfo.ts';
import { type Lsn, parseLsn } from '../../src/postgres/lsn.ts';
import { identifySystem, readTimelineHistory, readTimelineHistoryFile } from '../../src/postgres/replication.ts';
import { createPhysicalSlot, readSlot, readSlotBySql, readSlotHolder } from '../../src/postgres/replication-slot.ts';
import type { ReplicationStream } from '../../src/postgres/replication-stream.ts';
import { type ReplicationOptions, startReplication } from '../../src/postgres/start-replication.ts';
import { parseWalName } from '../../src/postgres/wal-name.ts';
import { installServerCertificate, TestAuthority } from '../support/certificates.ts';
import { systemUser, TestPostgres } from '../support/postgres.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const secret = 'corr3ct-h0rse';
const env: NodeJS.ProcessEnv = { HOME: '/nonexistent' };
const segmentBytes = 1024 * 1024;

const certificates: { directory?: TemporaryDirectory; authority?: TestAuthority; client?: ConnInfo } = {};

before(async () => {
  const directory = (certificates.directory = await makeTemporaryDirectory());
  const authority = (certificates.authority = await TestAuthority.create(directory.path));
  const { cert, key } = await authority.issue('certified');
  certificates.client = { sslcert: cert, sslkey: key };
});
after(() => certificates.directory?.[Symbol.asyncDispose]());

for (const version of ['15', 'embedded'] as const) {
  describe(`PostgreSQL ${version} streams`, () => {
    let postgres: TestPostgres;
    /** A finished segment. */
    let segment: string;
    let startLsn: Lsn;

    before(async () => {
      postgres = await TestPostgres.start({
        version,
        initdb: ['--wal-segsize=1'],
        settings: { wal_keep_size: '100MB' },
        hba: [
          'local replication scram scram-sha-256',
          'host replication scram 127.0.0.1/32 scram-sha-256',
          'host replication md5 127.0.0.1/32 md5',
          'host replication clear 127.0.0.1/32 password',
          'hostssl replication certified 127.0.0.1/32 cert',
        ],
      });
      const authority = certificates.authority as TestAuthority;
      await installServerCertificate(await authority.issue('server', ['DNS:localhost']), postgres.dataDirectory);
      await postgres.query(`ALTER SYSTEM SET ssl_ca_file = '${authority.cert}'`);
      await postgres.query('ALTER SYSTEM SET ssl = on');
      await postgres.query('SELECT pg_reload_conf()');
      for (const role of ['scram', 'clear']) await postgres.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD '${secret}'`);
      await postgres.query(`SET password_encryption = 'md5'`);
      await postgres.query(`CREATE ROLE md5 LOGIN REPLICATION PASSWORD '${secret}'`);
      await postgres.query('CREATE ROLE certified LOGIN REPLICATION');
      await postgres.query(`CREATE TABLE filler AS SELECT repeat(md5(n::text), 20) FROM generate_series(1, 1000) n`);
      segment = await postgres.switchWal();
      startLsn = startOf(segment);
    });
    after(() => postgres?.[Symbol.asyncDispose]());

    function open(info: ConnInfo = {}, options: ConnectOptions = {}): Promise<PgConnection> {
      const address = { host: '127.0.0.1', port: String(postgres.port), user: 'postgres', sslmode: 'disable' };
      return connect({ ...address, ...info }, { env, replication: true, ...options });
    }

    async function stream(
      info: ConnInfo = {},
      options: ReplicationOptions & { slot?: string; from?: Lsn } = {},
    ): Promise<ReplicationStream> {
      const connection = await open(info);
      return startReplication(connection, { startLsn: options.from ?? startLsn, timeline: 1, slot: options.slot }, options);
    }

    const storedWal = (name: string) => readFile(join(postgres.dataDirectory, 'pg_wal', name));
    const flushedLsn = async () => parseLsn((await postgres.query('SELECT pg_current_wal_flush_lsn()::text AS lsn'))[0]?.['lsn'] as string);
    const isQuiet = async (slot: string) =>
      (await postgres.query('SELECT active FROM pg_replication_slots WHERE slot_name = $1', [slot]))[0]?.['active'] === false;

    const tls = { host: 'localhost', hostaddr: '127.0.0.1' };
    const trusted = () => ({ ...tls, sslmode: 'verify-full', sslrootcert: (certificates.authority as TestAuthority).cert });
    const logins: readonly (readonly [what: string, info: () => ConnInfo, refusal?: string])[] = [
      ['trust', () => ({})],
      ['password', () => ({ user: 'clear', password: secret })],
      ['md5', () => ({ user: 'md5', password: secret })],
      ['scram-sha-256', () => ({ user: 'scram', password: secret })],
      ['scram-sha-256 bound to TLS', () => ({ ...trusted(), user: 'scram', password: secret, channel_binding: 'require' })],
      ['TLS 1.2', () => ({ ...tls, sslmode: 'require', ssl_max_protocol_version: 'TLSv1.2' })],
      ['a client certificate', () => ({ ...trusted(), ...certificates.client, user: 'certified' })],
      ['verify-full', trusted],
      ['a unix socket', () => ({ host: postgres.socketDirectory })],
      ['scram-sha-256 on a unix socket', () => ({ host: postgres.socketDirectory, user: 'scram', password: secret })],
      ['the second of two hosts', () => ({ host: '127.0.0.1,127.0.0.1', port: `1,${postgres.port}`, user: 'scram', password: secret })],
      ['verify-full, another host name', () => ({ ...trusted(), host: '127.0.0.1' }), 'postgres-tls'],
      ['a wrong password', () => ({ user: 'scram', password: 'wr0ng' }), 'postgres-authentication'],
      ['a wrong password, md5', () => ({ user: 'md5', password: 'wr0ng' }), 'postgres-authentication'],
      ['no certificate', () => ({ ...trusted(), user: 'certified' }), 'postgres-authentication'],
    ];
    for (const [what, info, refusal] of logins) {
      test(`login: ${what}`, async () => {
        if (refusal !== undefined) return assert.equal((await failureOf(stream(info()))).code, refusal);
        await using received = await stream(info());
        assert(Buffer.from(await bytesOf(received, segmentBytes)).equals(await storedWal(segment)));
      });
    }

    test('the connection belongs to the stream, whatever was asked before', async () => {
      const connection = await open();
      await assert.rejects(connection.query('NONSENSE'), (error) => isOperatorError(error, 'postgres-error'));
      connection.onLost(() => assert.fail('handing over is not losing'));
      await using taken = await startReplication(connection, { startLsn, timeline: 1 });
      assert.equal(connection.closed, true);
      await assert.rejects(connection.query('IDENTIFY_SYSTEM'), (error) => isOperatorError(error, 'postgres-unreachable'));
      await assert.rejects(startReplication(connection, { startLsn, timeline: 1 }), (error) =>
        isOperatorError(error, 'postgres-unreachable'),
      );
      await connection.close();
      assert.equal((await bytesOf(taken, segmentBytes)).length, segmentBytes);
    });

    test('a slot is created, held, moved on by what is flushed, and free once the stream is disposed of', async () => {
      await using control = await open();
      assert.equal(await createPhysicalSlot(control, 'Odd "name', { reserveWal: true }).catch(() => 'refused'), 'refused');
      assert.equal(await createPhysicalSlot(control, 'held', { reserveWal: true }), true);
      assert.equal(await createPhysicalSlot(control, 'held'), false);
      assert.equal(await createPhysicalSlot(control, 'unreserved'), true);
      const held = await readSlot(control, 'held');
      assert(held?.restartLsn !== undefined && held.restartLsn <= startLsn + BigInt(segmentBytes));
      assert.equal(held.timeline, 1);
      assert.deepEqual(await readSlot(control, 'unreserved'), { restartLsn: undefined, timeline: undefined });
      assert.equal(await readSlot(control, 'missing'), undefined);

      await using sql = await connect({ host: '127.0.0.1', port: String(postgres.port), user: 'postgres' }, { env });
      assert.deepEqual(await readSlotBySql(sql, 'held'), { restartLsn: held.restartLsn, timeline: undefined });
      assert.equal(await readSlotBySql(sql, 'missing'), undefined);
      assert.equal(await readSlotHolder(sql, 'held'), undefined);

      const first = await stream({ application_name: 'first' }, { slot: 'held' });
      const holder = await readSlotHolder(sql, 'held');
      assert(holder !== undefined);
      assert.deepEqual({ ...holder, pid: 0 }, { pid: 0, host: '127.0.0.1', applicationName: 'first' });
      const refusal = await failureOf(stream({}, { slot: 'held' }));
      assert.equal(refusal.code, 'slot-in-use');
      assert.match(refusal.message, new RegExp(`held .* ${holder.pid} `));

      const end = startLsn + BigInt(segmentBytes);
      await bytesOf(first, segmentBytes);
      first.sendStatus({ written: end, flushed: end, applied: 0n });
      await first[Symbol.asyncDispose]();
      assert.equal(await isQuiet('held'), true, 'the server has let go by then');
      assert.equal((await readSlot(control, 'held'))?.restartLsn, end);
    });

    const refusals: readonly (readonly [what: string, start: () => Promise<ReplicationStream>, code: string])[] = [
      ['a slot that is not there', () => stream({}, { slot: 'nix' }), 'slot-missing'],
      ['WAL that is not there', () => stream({}, { from: BigInt(segmentBytes) / 2n }), 'wal-removed'],
      ['WAL that is to come', () => stream({}, { from: 0xff00000000n }), 'wal-position-ahead'],
      ['another timeline', async () => startReplication(await open(), { startLsn, timeline: 7 }), 'wal-timeline-ahead'],
    ];
    for (const [what, start, code] of refusals) {
      test(`refused: ${what}`, async () => {
        const error = await failureOf(start().then(untilEnd));
        assert.equal(error.code, code, explain(error));
      });
    }

    test('a slot that the server has given up', async () => {
      await using control = await open();
      await createPhysicalSlot(control, 'lost', { reserveWal: true });
      await postgres.query(`ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`);
      await postgres.query(`ALTER SYSTEM SET wal_keep_size = '0'`);
      await postgres.query('SELECT pg_reload_conf()');
      const isLost = async () => {
        await postgres.switchWal();
        await postgres.query('CHECKPOINT');
        return (await readSlot(control, 'lost'))?.restartLsn === undefined;
      };
      await waitFor(isLost, { withinMs: 30_000, what: 'the server gives the slot up' });
      const error = await failureOf(stream({}, { slot: 'lost' }).then(untilEnd));
      assert.equal(error.code, version === '15' ? 'wal-removed' : 'slot-lost', 'older servers let a lost slot be used again');
      await postgres.query('ALTER SYSTEM RESET max_slot_wal_keep_size');
      await postgres.query('ALTER SYSTEM RESET wal_keep_size');
      await postgres.query('SELECT pg_reload_conf()');
      segment = await postgres.switchWal();
      startLsn = startOf(segment);
    });

    const impatient = { options: '-c wal_sender_timeout=400ms' };

    test('a server that asks is answered and goes on; one that is not answered ends the stream', async () => {
      const from = await flushedLsn();
      await using idle = await stream(impatient, { from });
      for (let asked = 0; asked < 4; ) {
        const message = await idle.next();
        if (message?.kind !== 'keepalive' || !message.replyRequested) continue;
        idle.sendStatus({ written: from, flushed: from, applied: 0n });
        asked++;
      }
      assert.equal((await failureOf(untilEnd(idle))).code, 'postgres-unreachable');
      assert.match(postgres.log(), /terminating walsender process due to replication timeout/);
    });

    test('a quiet server is asked, answers, and is not given up', async () => {
      await using idle = await stream({}, { from: await flushedLsn(), silenceMsMax: 1000 });
      for (let answers = 0; answers < 2; answers++) assert.equal((await idle.next())?.kind, 'keepalive');
    });

    test('a network that does not forward any more', async () => {
      await using proxy = await TcpProxy.to(postgres.port);
      await using stalled = await stream({ port: String(proxy.port) }, { silenceMsMax: 300 });
      await bytesOf(stalled, segmentBytes);
      proxy.stall();
      const error = await failureOf(untilEnd(stalled));
      assert.equal(error.code, 'postgres-unreachable');
      assert.equal(error.retryable, true);
      assert.match(explain(error), /said nothing for 0.3 seconds/);
    });

    test('a network that does not forward any more before streaming begins', async () => {
      await using proxy = await TcpProxy.to(postgres.port);
      const info = { port: String(proxy.port) };
      const connection = await open(info, { answerMsMax: 200 });
      const patient = await open(info);
      proxy.stall();
      const error = await failureOf(startReplication(connection, { startLsn, timeline: 1 }));
      assert.equal(error.code, 'postgres-unreachable');
      assert.match(explain(error), /no answer for 0.2 seconds/);
      const abort = new AbortController();
      const started = startReplication(patient, { startLsn, timeline: 1 }, { signal: abort.signal });
      const reason = new Error('enough');
      abort.abort(reason);
      await assert.rejects(started, reason);
    });

    for (const info of [{}, { sslmode: 'require' }]) {
      test(`a connection cut in the middle of a message, ${info.sslmode ?? 'in the clear'}`, async () => {
        await using proxy = await TcpProxy.to(postgres.port);
        proxy.resetAfter(300_000);
        await using cut = await stream({ ...info, port: String(proxy.port) });
        const error = await failureOf(bytesOf(cut, segmentBytes));
        assert.equal(error.code, 'postgres-unreachable');
        assert.match(explain(error), /was lost/);
      });
    }

    test('a stream that the administrator ends, and one of a server that crashes', async () => {
      const from = await flushedLsn();
      await using ended = await stream({ application_name: 'ended' }, { from });
      await postgres.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'`);
      const error = await failureOf(untilEnd(ended));
      assert.equal(error.code, 'postgres-unreachable');
      assert.match(explain(error), /terminating connection due to administrator command/);

      await using crashed = await stream({}, { from });
      await postgres.kill9();
      assert.equal((await failureOf(untilEnd(crashed))).code, 'postgres-unreachable');
      await postgres.launch();
    });

    test('a server that shuts down sends all there is, waits until it is confirmed, and says goodbye', async () => {
      await using last = await stream();
      // A server ends at once what does not send yet.
      let message = await last.next();
      const stopped = postgres.stop();
      let received = startLsn;
      for (; message !== undefined; message = await last.next()) {
        if (message.kind === 'wal') received = message.startLsn + BigInt(message.bytes.length);
        last.sendStatus({ written: received, flushed: received, applied: 0n });
      }
      await stopped;
      assert.equal(await last.end(), undefined);
      await postgres.launch();
      assert(received <= (await flushedLsn()) && received > startLsn);
    });

    test('the end of a timeline: a standby is promoted while it streams', async () => {
      await postgres.stop();
      const { uid, gid } = systemUser();
      const signal = join(postgres.dataDirectory, 'standby.signal');
      await writeFile(signal, '');
      await chown(signal, uid, gid);
      await postgres.launch();
      await using old = await stream();
      const received = bytesOf(old);
      await postgres.query('SELECT pg_promote()');
      await postgres.promoted();
      const wal = await received;
      const end = await old.end();
      assert.deepEqual(end, { nextTimeline: 2, switchLsn: startLsn + BigInt(wal.length) });

      // Its name need not be in UTF-8.
      await appendFile(join(postgres.dataDirectory, 'pg_wal', '00000002.history'), Buffer.from('# r\xfcckw\xe4rts \\134\n', 'latin1'));
      await using control = await open();
      assert.equal((await identifySystem(control)).timeline, 2);
      const history = await readTimelineHistoryFile(control, 2);
      assert.equal(history?.name, '00000002.history');
      assert(history.content.equals(await storedWal(history.name)));
      assert.equal((await readTimelineHistory(control, 2))[0]?.switchLsn, end.switchLsn);
      assert.equal(await readTimelineHistoryFile(control, 1), undefined);
      await assert.rejects(readTimelineHistoryFile(control, 3), (error) => isOperatorError(error, 'postgres-error'));

      await using again = await stream({}, { from: end.switchLsn });
      assert.equal(await again.next(), undefined);
      assert.deepEqual(await again.end(), end);
      assert.equal((await failureOf(stream({}, { from: end.switchLsn + 8n }))).code, 'wal-diverged');
      await using next = await startReplication(await open(), { startLsn: end.switchLsn, timeline: 2 });
      assert.equal((await next.next())?.kind, 'wal');
    });
  });
}

function startOf(segment: string): Lsn {
  return parseWalName(segment, segmentBytes).number * BigInt(segmentBytes);
}

/** The next `count` bytes of WAL, or all up to the end of the timeline. */
async function bytesOf(stream: ReplicationStream, count = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let left = count; left > 0; ) {
    const message = await stream.next();
    if (message === undefined) break;
    if (message.kind !== 'wal') continue;
    pieces.push(Buffer.from(message.bytes.subarray(0, left)));
    left -= message.bytes.length;
  }
  return Buffer.concat(pieces);
}

async function untilEnd(stream: ReplicationStream): Promise<void> {
  while (await stream.next());
}

async function failureOf(work: Promise<unknown>): Promise<OperatorError> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  assert(isOperatorError(error), `expected an OperatorError, got ${String(error)}`);
  assert.doesNotMatch(explain(error), new RegExp(`${secret}|wr0ng`));
  return error;
}
