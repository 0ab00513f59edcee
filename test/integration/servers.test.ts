import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PostgresProbe } from '../../src/daemon/servers/postgres-probe.ts';
import { parseLsn } from '../../src/postgres/lsn.ts';
import { parseNode } from '../../src/postgres/node.ts';
import { TestPostgres } from '../support/postgres.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const never = new AbortController().signal;
const replicatorOnly = ['host replication replicator 127.0.0.1/32 trust', 'host all replicator 127.0.0.1/32 reject'];

for (const version of ['15', 'embedded'] as const) {
  describe(`what a server of PostgreSQL ${version} says of itself`, () => {
    let postgres: TestPostgres;
    let probe: PostgresProbe;
    const facts = async () =>
      (await postgres.query('SELECT system_identifier::text AS id, pg_current_wal_flush_lsn()::text AS lsn FROM pg_control_system()'))[0];
    const connections = async () =>
      (await postgres.query(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'pghoard'`))[0]?.['n'];

    before(async () => {
      postgres = await TestPostgres.start({ version, initdb: ['--wal-segsize=1'], hba: replicatorOnly });
      await postgres.query('CREATE ROLE replicator LOGIN REPLICATION');
      probe = new PostgresProbe();
    });
    after(async () => {
      await probe?.close();
      await postgres?.[Symbol.asyncDispose]();
    });

    test('a primary, over one connection that is kept', async () => {
      const node = parseNode(postgres.dsn);
      const { id, lsn } = (await facts()) ?? {};
      await probe.ask(node, never);
      const answer = await probe.ask(node, never);
      assert.equal(answer.role, 'primary');
      assert.equal(answer.systemIdentifier, BigInt(String(id)));
      assert.equal(answer.segmentBytes, 1 << 20);
      assert.equal(answer.timeline, 1);
      assert.equal(answer.postmaster?.port, postgres.port);
      assert.ok(answer.lsn >= parseLsn(String(lsn)));
      assert.equal(await connections(), 1);
    });

    test('a role that may only replicate is asked over the replication protocol', async () => {
      const answer = await probe.ask(parseNode(`host=127.0.0.1 port=${postgres.port} user=replicator dbname=postgres`), never);
      const { id } = (await facts()) ?? {};
      assert.deepEqual([answer.role, answer.systemIdentifier, answer.timeline], ['primary', BigInt(String(id)), 1]);
    });

    test('a server that was restarted in between answers at once', async () => {
      const node = parseNode(postgres.dsn);
      const earlier = await probe.ask(node, never);
      await postgres.restart();
      const later = await probe.ask(node, never);
      assert.ok(Number(later.postmaster?.startedSeconds) > Number(earlier.postmaster?.startedSeconds));
    });

    test('a connection that hangs is given up, and another one made', async () => {
      await using proxy = await TcpProxy.to(postgres.port);
      const node = parseNode(`postgres://postgres@127.0.0.1:${proxy.port}/postgres`);
      await probe.ask(node, never);
      proxy.stall();
      await assert.rejects(probe.ask(node, AbortSignal.timeout(200)), /the connection to PostgreSQL at .* was lost/);
      assert.equal((await probe.ask(node, never)).role, 'primary');
    });
  });
}
