import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { viewOf } from '../../../test/support/health-view.ts';
import { startHttpBench } from '../../../test/support/http-bench.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { CodecPool } from '../../codec/pool.ts';
import type { Clock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { siteHealth } from '../health/site-health.ts';
import { Live, type LiveDeps } from './live.ts';
import type { SiteServices } from './site-services.ts';

const pool = new CodecPool(1);
after(() => pool.close());

/** Rounds come as fast as they are read. */
function fastClock(): Clock {
  let ms = 0;
  return { now: () => new Date(ms), monotonicMs: () => ms, sleep: async (wait) => void (ms += wait) };
}

function siteNamed(name: string): Pick<SiteServices, 'name' | 'health' | 'retention'> {
  return { name, health: siteHealth(viewOf({})), retention: { pending: undefined, postponed: undefined } };
}

function liveOf(sites: LiveDeps['sites'], changes: Partial<LiveDeps> = {}): Live {
  const daemon = { version: '1', started_at: '2026-11-30T00:00:00.000Z', config_file: null, may_act: false };
  return new Live({ sites, daemon, transfers: () => ({}), alerts: () => [], clock: fastClock(), ...changes });
}

function follow(live: Live, signal = new AbortController().signal): AsyncIterator<string> {
  const { body } = live.answer('GET', signal);
  assert(typeof body === 'object' && 'pieces' in body);
  return body.pieces[Symbol.asyncIterator]();
}

const kinds = (piece: IteratorResult<string>) => [...String(piece.value).matchAll(/^event: (\w+)$/gm)].map(([, kind]) => kind);

test('everything is told first, then what has changed, and that nothing has', async () => {
  const sites = new Map([siteNamed('a'), siteNamed('b\n\ndata: x')].map((site) => [site.name, site]));
  const reader = follow(liveOf(sites));
  assert.deepEqual(kinds(await reader.next()), ['daemon']);
  const first = await reader.next();
  assert.deepEqual(kinds(first), ['site', 'site', 'beat']);
  assert.equal([...first.value.matchAll(/^data: /gm)].length, 3, 'a name cannot break out of its line');
  assert.deepEqual(kinds(await reader.next()), ['beat']);
  sites.set('a', { ...siteNamed('a'), retention: { pending: undefined, postponed: 'it waits' } });
  const changed = await reader.next();
  assert.deepEqual(kinds(changed), ['site', 'beat']);
  assert.match(changed.value, /"postponed":"it waits"/);
  sites.delete('a');
  assert.match((await reader.next()).value, /"sites":\["b\\n\\ndata: x"\]/);
});

test('alerts go to their site or to all, stored bytes are told by kind', async () => {
  const alert = { name: 'wal_gap', severity: 'critical', since: new Date(0), because: '<b>', hint: 'h', times: 1 } as const;
  const counters = { data: 5, count: 1, time_taken: 0, failures: 0, xlogs_since_basebackup: 0, last_success: null };
  const reader = follow(
    liveOf(new Map([['a', siteNamed('a')]]), {
      alerts: () => [
        { ...alert, site: 'a' },
        { ...alert, site: null, name: 'worker_crashed' },
      ],
      transfers: () => ({
        a: { upload: { xlog: counters, xlog_index: counters, basebackup: counters, basebackup_delta_chunk: counters, timeline: counters } },
      }),
    }),
  );
  await reader.next();
  const documents = [...(await reader.next()).value.matchAll(/^data: (.*)$/gm)].map(
    ([, text]) => JSON.parse(text ?? '') as Record<string, unknown>,
  );
  const [site, beat] = documents as [{ alerts: { name: string }[]; stored_bytes: unknown }, { alerts: { name: string }[] }];
  assert.deepEqual([site.alerts.map(({ name }) => name), beat.alerts.map(({ name }) => name)], [['wal_gap'], ['worker_crashed']]);
  assert.deepEqual(site.stored_bytes, { wal: 10, basebackups: 10 });
});

test('so many may follow at once, and a place that is left is free again', async () => {
  const live = liveOf(new Map());
  const readers = Array.from({ length: 20 }, () => follow(live));
  for (const reader of readers) await reader.next();
  assert.throws(
    () => live.answer('GET', new AbortController().signal),
    (error) => isOperatorError(error, 'too-many-followers'),
  );
  assert.equal(live.answer('HEAD', new AbortController().signal).body, '');
  await readers[0]?.return?.();
  assert.deepEqual(kinds(await follow(live).next()), ['daemon']);
});

test('a stream ends with its connection, and at once when the server closes', async () => {
  await using bench = await startHttpBench(pool);
  const socket = connect(bench.server.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (bytes: Buffer) => (heard += bytes.toString()));
  socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
  await waitFor(() => heard.includes('event: beat'), { withinMs: 30_000, what: () => `a beat comes:\n${heard}` });
  assert.match(heard, /content-type: text\/event-stream/);
  const ended = once(socket, 'close');
  const closed = bench.server.close(60_000);
  await Promise.all([ended, closed]);
});
