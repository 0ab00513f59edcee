import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSiteIdentity } from '../../src/catalog/site-identity.ts';
import { controlFileBytes } from '../support/test-backups.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fixture, type FixtureConfig, type FixtureName } from './fixture.ts';

const names: readonly FixtureName[] = [
  'a-snappy-pipe-plain',
  'b-lzma-basic-enc',
  'f-snappy-basic-timelines',
  'g-pghoard14-pipe-snappy-enc',
];
for (const name of names) {
  test(`a store of the original is for the cluster of its WAL, whatever cluster the daemon finds: ${name}`, async () => {
    await using fixture = await Fixture.unpack(name);
    const dataDirectory = fixture.place('another cluster');
    await mkdir(join(dataDirectory, 'global'), { recursive: true });
    await writeFile(join(dataDirectory, 'global/pg_control'), controlFileBytes(42n));
    await writeFile(join(dataDirectory, 'PG_VERSION'), '15\n');
    const atWork = (config: FixtureConfig): FixtureConfig => {
      const here = { active: true, nodes: ['host=/nowhere'], pg_data_directory: dataDirectory };
      const sites = Object.entries(config.backup_sites).map(([site, options]) => [site, { ...options, ...here }]);
      return {
        ...config,
        backup_location: fixture.place('spool'),
        backup_sites: Object.fromEntries(sites) as FixtureConfig['backup_sites'],
      };
    };
    await using daemon = await fixture.daemon(atWork);
    const refused = () => existsSync(join(daemon.directory, 'cluster_mismatch'));
    await waitFor(refused, { withinMs: 30_000, what: () => `the other cluster is refused:\n${daemon.log}` });

    const { prefix, system_identifier: expected } = fixture.expected;
    const store = join(fixture.storeDirectory, prefix, 'site_identity');
    const { systemIdentifier, segmentBytes, majors } = parseSiteIdentity(await readFile(store, 'utf8'), store);
    assert.deepEqual([String(systemIdentifier), segmentBytes, majors.length], [expected, 16 * 1024 * 1024, 1]);
    assert.match(daemon.log, new RegExp(`is of another cluster than site .*, not ${expected}`));
  });
}
