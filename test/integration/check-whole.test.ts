import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { claimSite } from '../../src/catalog/site-identity.ts';
import { openStore } from '../../src/storage/drivers.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { commandLine, runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { entriesBelow } from '../support/entries-below.ts';
import { TestPostgres } from '../support/postgres.ts';
import { makeSmallDisk } from '../support/small-disk.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

/** As docs/guide.md has it. */
const reportShape = z.strictObject({
  format: z.literal(1),
  version: z.string(),
  config: z.string(),
  started_at: z.iso.datetime(),
  result: z.enum(['ok', 'note', 'warning', 'failure']),
  counts: z.strictObject({ ok: z.int(), note: z.int(), warning: z.int(), failure: z.int() }),
  checks: z.array(
    z.strictObject({
      id: z.string().regex(/^[a-z]+\/[a-z]+(-[a-z]+)*$/),
      result: z.enum(['ok', 'note', 'warning', 'failure']),
      site: z.string().nullable(),
      target: z.string().nullable(),
      about: z.string().nullable(),
      because: z.string().min(1),
      remedy: z.array(z.string()),
    }),
  ),
});
type Report = z.output<typeof reportShape>;

const isRoot = process.getuid?.() === 0;
const secrets = ['conninfo-S3cret', 'webserver-S3cret'];

let scratch: TemporaryDirectory;
let postgres: TestPostgres;
let daemon: TestDaemon;

before(async () => {
  scratch = await makeTemporaryDirectory();
  postgres = await TestPostgres.start({
    initdb: ['--data-checksums'],
    settings: { archive_mode: 'on', archive_command: '', archive_timeout: '600' },
  });
  await postgres.query(`CREATE ROLE keeper LOGIN REPLICATION PASSWORD '${secrets[0]}' IN ROLE pg_read_all_settings`);
  await postgres.query('GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO keeper');
  const node = { host: '127.0.0.1', port: postgres.port, user: 'keeper', password: secrets[0], dbname: 'postgres' };
  daemon = await TestDaemon.start({
    directory: join(scratch.path, 'pghoard'),
    postgres,
    encrypted: true,
    site: { nodes: [node] },
    global: { webserver_username: 'ann', webserver_password: secrets[1] },
  });
  const command = daemon.archiveCommand.replace(/(\S+) /, `PGHOARD_USERNAME=ann PGHOARD_PASSWORD=${secrets[1]} $1 `);
  await postgres.query(`ALTER SYSTEM SET archive_command = '${command}'`);
  await postgres.query('SELECT pg_reload_conf()');
  await daemon.basebackups(1);
  const last = await postgres.switchWal();
  // PostgreSQL asks for one segment after the other, so that then all of them are stored.
  const isArchived = async () => (await postgres.query('SELECT 1 FROM pg_stat_archiver WHERE last_archived_wal >= $1', [last])).length > 0;
  await waitFor(isArchived, { withinMs: 60_000, what: () => `${last} is archived:\n${daemon.log}` });
  // What is noted of WAL follows by itself, and would come while a test looks whether the store changes.
  const namesIn = async (folder: string) =>
    (await readdir(join(daemon.storeDirectory, siteName, folder)).catch((): string[] => [])).toSorted();
  const areIndexed = async () => isDeepStrictEqual(await namesIn('xlog_index'), await namesIn('xlog'));
  await waitFor(areIndexed, { withinMs: 60_000, what: () => `all WAL is indexed:\n${daemon.log}` });
});

after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  await scratch?.[Symbol.asyncDispose]();
});

async function checkAsData(
  file = daemon.configFile,
  args: readonly string[] = ['--quick'],
): Promise<{ code: number | null; report: Report }> {
  const { code, stdout, stderr } = await runOurs('pghoard', ['check', '--json', '--config', file, ...args]);
  assert.equal(stderr, '');
  return { code, report: reportShape.parse(JSON.parse(stdout)) };
}

/** The configuration of the daemon with changes, in a file of its own. */
async function changedConfig(name: string, site: object, global: object = {}): Promise<string> {
  const config = JSON.parse(await readFile(daemon.configFile, 'utf8')) as { backup_sites: Record<string, object> };
  const file = join(scratch.path, `${name}.json`);
  const sites = { ...config.backup_sites, [siteName]: { ...config.backup_sites[siteName], ...site } };
  await writeFile(file, JSON.stringify({ ...config, ...global, backup_sites: sites }), { mode: 0o600 });
  return file;
}

function wrong({ checks }: Report): string[] {
  return checks
    .filter(({ result }) => result === 'warning' || result === 'failure')
    .map(({ id, result, because }) => `${result} ${id}: ${because}`);
}

/** Without what is being written at this moment: the daemon goes on with its work. */
async function storedPaths(directory: string): Promise<string[]> {
  return (await entriesBelow(directory))
    .filter(({ name }) => !name.startsWith('.'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted();
}

test('a site on which all is right: nothing is wrong, nothing is changed, and no secret is told', async () => {
  const stored = await storedPaths(daemon.storeDirectory);
  const { code, report } = await checkAsData(daemon.configFile, []);
  assert.deepEqual([wrong(report), code], [[], 0]);
  const { checks, counts } = report;
  assert.equal(counts.ok + counts.note, checks.length);
  const ids = new Set(checks.map(({ id }) => id));
  for (const id of [
    'postgres/archive-command',
    'store/contract',
    'store/create-only',
    'backups/basebackup-wal',
    'backups/archived',
    'keys/encryption',
    'daemon/lease',
  ])
    assert.ok(ids.has(id), id);
  const told = await runOurs('pghoard', ['check', '--config', daemon.configFile, '--site', siteName, '--quick']);
  assert.deepEqual([told.code, told.stderr], [0, '']);
  assert.match(told.stdout, /^pghoard \S+ looks at \S+\n\nConfiguration\n {2}ok {7}settings/);
  assert.match(told.stdout, /\n\nNothing is wrong: \d+ checks are ok\.\n$/);
  assert.ok(!told.stdout.includes(String.fromCodePoint(27)), 'colours');
  const everything = JSON.stringify(report) + told.stdout;
  const key = /-----BEGIN PRIVATE KEY-----\\n[^\\]*\\n([^\\]*)/.exec(await readFile(daemon.configFile, 'utf8'))?.[1] ?? '';
  assert.ok(key.length > 20);
  for (const secret of [...secrets, key]) assert.ok(!everything.includes(secret), `told: ${secret}`);
  assert.deepEqual(await storedPaths(daemon.storeDirectory), stored);
});

test('an interrupted check leaves nothing in the store', async () => {
  const stored = await storedPaths(daemon.storeDirectory);
  const [program, ...args] = commandLine('pghoard');
  const child = spawn(program, [...args, 'check', '--config', daemon.configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  const hasBegun = async () => child.exitCode !== null || (await storedPaths(daemon.storeDirectory)).some((path) => path.includes('fact-'));
  await waitFor(hasBegun, { withinMs: 60_000, everyMs: 1, what: 'the check tries the store' });
  child.kill('SIGINT');
  assert.deepEqual(await ended, [1, null]);
  assert.match(said, /interrupted by keyboard/);
  assert.deepEqual(await storedPaths(daemon.storeDirectory), stored);
});

test('a store and directories that only others may write to', async () => {
  const directory = join(scratch.path, 'foreign');
  await mkdir(directory, { mode: 0o555 });
  const file = await changedConfig(
    'foreign',
    { object_storage: { storage_type: 'local', directory }, active: false },
    { alert_file_dir: directory },
  );
  await chmod(file, 0o644);
  // Root may write everywhere, so then it is somebody else who looks.
  const { code, stdout } = await runOurs('pghoard', ['check', '--json', '--config', file], isRoot ? { uid: 65_534, gid: 65_534 } : {});
  const told = wrong(reportShape.parse(JSON.parse(stdout)));
  assert.equal(code, 1);
  assert.ok(
    told.some((line) => /^failure store\/requests: .*(denied|allow|may not|permission|refuse)/i.test(line)),
    told.join('\n'),
  );
  assert.ok(
    told.some((line) => line.startsWith('failure configuration/secrets: mode 0644')),
    told.join('\n'),
  );
  assert.ok(
    told.some((line) => /^failure directories\/directory: \S+ may not write there/.test(line)),
    told.join('\n'),
  );
  assert.deepEqual(await storedPaths(directory), []);
});

test('a directory of the store that is missing is told and not made: its disk may not be mounted', async () => {
  const directory = join(scratch.path, 'not-mounted');
  const { report } = await checkAsData(await changedConfig('missing', { object_storage: { storage_type: 'local', directory } }));
  assert.ok(wrong(report).some((line) => line.startsWith(`warning store/reachable: ${directory} does not exist yet`)));
  await assert.rejects(entriesBelow(directory), { code: 'ENOENT' });
});

test('a disk that is full: store and backup_location', async () => {
  const place = join(scratch.path, 'small');
  await using disk = await makeSmallDisk(place, 4 * 1024 * 1024);
  await mkdir(join(place, 'store'), { recursive: true });
  const store = { object_storage: { storage_type: 'local', directory: join(place, 'store') } };
  const file = await changedConfig('full', store, { backup_location: join(place, 'spool') });
  await disk.fill(process.pid);
  const checking = checkAsData(file);
  await checking.catch(() => {});
  await disk.makeRoom(process.pid);
  const { code, report } = await checking;
  assert.equal(code, 1);
  const told = wrong(report);
  assert.ok(
    told.some((line) => line.startsWith('failure store/requests: ')),
    told.join('\n'),
  );
  // Where nobody may mount a disk, it is the process that may not write.
  if (isRoot)
    assert.ok(
      told.some((line) => line.startsWith('failure disk/room: ')),
      told.join('\n'),
    );
  assert.deepEqual(await storedPaths(join(place, 'store')), []);
});

test('a store of another cluster, whose WAL the server believes to be there', async () => {
  const directory = join(scratch.path, 'other');
  await mkdir(directory);
  const file = await changedConfig('other', { object_storage: { storage_type: 'local', directory } });
  const catalog = new Catalog(
    await openStore({ storage_type: 'local', directory, prefix: null, statsd_info: null, notifier: null }),
    new SiteKeys(siteName),
  );
  await claimSite(catalog, { systemIdentifier: 1n, segmentBytes: 16 * 1024 * 1024, majors: [], since: new Date(0) });
  const { code, report } = await checkAsData(file);
  assert.equal(code, 1);
  const identity = report.checks.filter(({ id }) => id === 'store/identity');
  assert.deepEqual(
    identity.map(({ about }) => about),
    [`the data directory ${postgres.dataDirectory}`, `the server at keeper@127.0.0.1:${postgres.port}/postgres`],
  );
  assert.ok(wrong(report).some((line) => line.startsWith('failure backups/archived: the server believes it to be archived')));
  assert.ok(wrong(report).some((line) => line.startsWith('warning backups/basebackup: there is no base backup')));
});

test('a base backup that cannot be restored, for lack of WAL or of a key', async () => {
  const [name = ''] = await daemon.basebackups(1);
  const catalog = await daemon.catalog();
  const { endWalSegment = '' } = await catalog.basebackup(name);
  const segment = await catalog.store.get(catalog.walKey(endWalSegment));
  const pieces: Uint8Array[] = [];
  for await (const piece of segment.bytes) pieces.push(piece);
  await catalog.store.delete(catalog.walKey(endWalSegment));
  try {
    const { report } = await checkAsData(await changedConfig('keyless', { encryption_key_id: null, encryption_keys: null }));
    const told = wrong(report);
    assert.ok(
      told.includes(
        `failure backups/basebackup-wal: ${name} cannot be restored: the WAL segment ${endWalSegment} that it needs is not stored`,
      ),
      told.join('\n'),
    );
    assert.ok(
      told.includes('failure keys/keys-of-backups: base backups are encrypted with key, which the configuration does not know'),
      told.join('\n'),
    );
  } finally {
    await catalog.store.put(catalog.walKey(endWalSegment), sourceOfBytes(Buffer.concat(pieces)), { metadata: segment.entry.metadata });
  }
});

test('what the daemon alone would refuse is told, and the rest is looked at all the same', async () => {
  const file = await changedConfig('no-location', { pg_data_directory: null }, { backup_location: undefined });
  const { code, report } = await checkAsData(file);
  assert.equal(code, 1);
  const told = wrong(report);
  assert.ok(
    told.some((line) => /^failure configuration\/settings: .*backup_location.*is missing/.test(line)),
    told.join('\n'),
  );
  assert.ok(
    told.some((line) => line.startsWith('failure postgres/data-directory: pg_data_directory is not set')),
    told.join('\n'),
  );
  assert.ok(report.checks.some(({ id, result }) => id === 'store/contract' && result === 'ok'));
});

test('maintenance mode', async () => {
  const maintenance = join(scratch.path, 'maintenance');
  await writeFile(maintenance, '');
  const { report } = await checkAsData(await changedConfig('maintained', {}, { maintenance_mode_file: maintenance }));
  assert.ok(wrong(report).some((line) => line.startsWith('warning directories/maintenance: maintenance mode is on')));
});

test('no daemon', async () => {
  await daemon.stop('SIGTERM');
  const gone = (await checkAsData()).report.checks.find(({ id }) => id === 'daemon/running');
  assert.deepEqual([gone?.result, gone?.remedy.at(-1)], ['failure', `or: pghoard --config ${daemon.configFile}`]);
});
