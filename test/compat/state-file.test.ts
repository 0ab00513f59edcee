import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { makeHistory, makeWalSegment, mebibyte } from '../support/wal-segment.ts';

const counters = { data: 100, count: 3, time_taken: 1.5, failures: 2, xlogs_since_basebackup: 3, last_success: 8_131.52 };

/** As newer versions of the original leave it: with their monotonic clock, and file types that we do not have. */
const left = {
  startup_time: '2026-11-22T23:39:50.840787',
  backup_sites: { gone: { basebackups: [] } },
  walreceivers: {},
  pg_receivexlogs: { gone: { latest_activity: '2026-11-22T23:39:52.123456Z', running: true } },
  pg_basebackups: {},
  compressors: [{ [siteName]: { xlog: { original_data: 16_777_216, compressed_data: 800_000, count: 1 } } }, {}],
  queues: { compression_queue: 0, transfer_queue: 0 },
  transfer_agent_state: {
    [siteName]: {
      upload: {
        xlog: { ...counters, latest_filename: '000000010000000000000002' },
        hologram: { ...counters, last_success: null },
      },
      list: { basebackup: counters },
    },
    gone: { upload: { timeline: { ...counters, last_success: 1_763_854_790.25 } } },
  },
  served_files: { xlog: { name: '000000010000000000000002', time: 1_763_854_790.25 } },
};

interface State extends Record<string, unknown> {
  readonly transfer_agent_state: Record<string, Record<string, Record<string, typeof counters & { latest_filename?: string }>>>;
  readonly compressors: unknown;
  readonly served_files: Record<string, { name: string; time: number }>;
  readonly pghoard: { readonly alerts: readonly { name: string; site: string }[] };
}

async function makeDataDirectory(directory: string, files: Readonly<Record<string, Buffer>>): Promise<string> {
  const data = join(directory, 'data');
  await mkdir(join(data, 'pg_wal'), { recursive: true });
  await writeFile(join(data, 'PG_VERSION'), '15\n');
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(data, 'pg_wal', name), bytes);
  return data;
}

test('the state file that the original left is taken over, and goes on in its shape', async () => {
  await using scratch = await makeTemporaryDirectory();
  const [segment, history] = ['000000010000000000000003', '00000002.history'];
  const data = await makeDataDirectory(scratch.path, { [segment]: makeWalSegment(segment), [history]: makeHistory(history) });
  await writeFile(join(scratch.path, 'state.json'), JSON.stringify(left));
  // Nobody listens there: the alert for it must come.
  const nodes = [`host=127.0.0.1 port=${await freePort()} user=postgres`];
  await using daemon = await TestDaemon.start({ directory: scratch.path, site: { active: true, nodes, pg_data_directory: data } });
  const state = async () => (await (await daemon.request('GET', '/status')).json()) as State;

  const atFirst = await state();
  assert.deepEqual(
    Object.keys(atFirst).filter((key) => key !== 'pghoard'),
    Object.keys(left).toSorted(),
    'the same keys, sorted',
  );
  assert.deepEqual(atFirst.transfer_agent_state, {
    ...left.transfer_agent_state,
    [siteName]: {
      upload: {
        xlog: { ...counters, latest_filename: '000000010000000000000002', last_success: null },
        hologram: { ...counters, last_success: null },
      },
      list: { basebackup: { ...counters, last_success: null } },
    },
  });
  assert.deepEqual([atFirst.compressors, atFirst.served_files], [[{}, {}], {}], 'counted from the start of the process');

  for (const name of [segment, history]) {
    assert.equal((await daemon.request('PUT', `/${siteName}/archive/${name}`)).status, 201);
    const target = { 'x-pghoard-target-path': join(data, 'pg_wal', 'RECOVERYXLOG') };
    assert.equal((await daemon.request('GET', `/${siteName}/archive/${name}`, target)).status, 201);
  }
  const next = await waitFor(
    async () => {
      const now = await state();
      return now.served_files['timeline'] !== undefined && now.pghoard.alerts.length > 0 && now;
    },
    { withinMs: 30_000, what: 'the state is written' },
  );
  assertCounted(next, segment, history);

  const text = await readFile(join(scratch.path, 'state.json'), 'utf8');
  assert.equal(text, `${JSON.stringify(JSON.parse(text), undefined, 4)}\n`, 'indented by four, with a final newline');
  assert.equal((await stat(join(scratch.path, 'state.json'))).mode & 0o777, 0o644, 'readable for monitoring');
  assert.equal(await readFile(join(scratch.path, 'alerts', 'configuration_error'), 'utf8'), 'alert');
  assert.equal((await daemon.request('GET', '/status/more')).status, 400);
  assert.equal((await daemon.request('GET', `/${siteName}/status`)).status, 200);

  await daemon.stop();
  await daemon.launch();
  const { transfer_agent_state: kept } = await state();
  assert.deepEqual(kept, next.transfer_agent_state, 'kept over a restart');
});

function assertCounted(state: State, segment: string, history: string): void {
  const uploads = state.transfer_agent_state[siteName]?.['upload'];
  const { last_success: lastSuccess, data, time_taken: seconds, ...xlog } = uploads?.['xlog'] ?? counters;
  assert.deepEqual(xlog, { count: 4, failures: 2, xlogs_since_basebackup: 4, latest_filename: segment });
  assert(data > counters.data && seconds > counters.time_taken);
  assertIsNow(lastSuccess);
  assert.equal(uploads?.['timeline']?.latest_filename, history);

  const [{ [siteName]: made } = {}, ...others] = state.compressors as Record<string, Record<string, Record<string, number>>>[];
  assert.deepEqual(others, [{}], 'one for each thread');
  assert.deepEqual(Object.keys(made ?? {}).toSorted(), ['timeline', 'xlog']);
  const { compressed_data: compressed, ...rest } = made?.['xlog'] ?? {};
  assert.deepEqual(rest, { original_data: mebibyte, count: 1 });
  assert.equal(compressed, data - counters.data);

  assert.deepEqual(
    Object.entries(state.served_files).map(([kind, { name }]) => [kind, name]),
    [
      ['timeline', history],
      ['xlog', segment],
    ],
  );
  assertIsNow(state.served_files['xlog']?.time ?? 0);
}

function assertIsNow(epochSeconds: number): void {
  assert(Math.abs(Date.now() / 1000 - epochSeconds) < 60, String(epochSeconds));
}
