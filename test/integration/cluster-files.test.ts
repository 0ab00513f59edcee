import assert from 'node:assert/strict';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseBackupLabel } from '../../src/postgres/backup-label.ts';
import { readControlFile } from '../../src/postgres/control-file.ts';
import { formatLsn, parseLsn } from '../../src/postgres/lsn.ts';
import { majorOf } from '../../src/postgres/versions.ts';
import { nextWalName, startLsnOf, walNameOf } from '../../src/postgres/wal-name.ts';
import { checkWalSegment, walHeaderBytes } from '../../src/postgres/wal-page.ts';
import { TestPostgres } from '../support/postgres.ts';

const MiB = 1024 * 1024;

async function one<T>(postgres: TestPostgres, sql: string): Promise<T> {
  const [row] = await postgres.query(`SELECT ${sql} AS value`);
  return row?.['value'] as T;
}

async function firstBytesOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(walHeaderBytes));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const clusters = [
  { version: '15', segmentMiB: 1, checksums: true },
  { version: '15', segmentMiB: 64, checksums: false },
  { version: 'embedded', segmentMiB: 16, checksums: true },
  { version: 'embedded', segmentMiB: 1, checksums: false },
] as const;

for (const { version, segmentMiB, checksums } of clusters) {
  test(`what PostgreSQL ${version} with segments of ${segmentMiB} MiB writes is what we read`, async () => {
    const checksumFlag = checksums ? ['--data-checksums'] : version === '15' ? [] : ['--no-data-checksums'];
    await using postgres = await TestPostgres.start({ version, initdb: [`--wal-segsize=${segmentMiB}`, ...checksumFlag] });
    const segmentBytes = segmentMiB * MiB;
    const serverVersion = Number(await one<string>(postgres, `current_setting('server_version_num')`));

    const control = await readControlFile(postgres.dataDirectory);
    assert.equal(control.state, 'in production');
    assert.equal(control.segmentBytes, segmentBytes);
    assert.equal(control.dataChecksums, checksums);
    const systemIdentifier = BigInt(await one<string>(postgres, '(SELECT system_identifier::text FROM pg_control_system())'));
    assert.equal(control.systemIdentifier, systemIdentifier);
    assert.equal(
      formatLsn(control.checkpointLsn),
      await one<string>(postgres, '(SELECT checkpoint_lsn::text FROM pg_control_checkpoint())'),
    );
    assert.equal(formatLsn(control.redoLsn), await one<string>(postgres, '(SELECT redo_lsn::text FROM pg_control_checkpoint())'));

    const finished = await postgres.switchWal();
    const path = join(postgres.dataDirectory, 'pg_wal', finished);
    const fileBytes = (await stat(path)).size;
    const header = checkWalSegment(finished, await firstBytesOf(path), { segmentBytes, systemIdentifier, fileBytes });
    assert.equal(header.major, majorOf(serverVersion));
    assert.equal(header.pageAddress, startLsnOf(finished, segmentBytes));

    await postgres.query('CREATE TABLE t (a int)');
    const position = await one<string>(postgres, 'pg_current_wal_lsn()::text');
    const current = await one<string>(postgres, `pg_walfile_name('${position}')`);
    assert.equal(walNameOf(parseLsn(position), 1, segmentBytes), current);
    assert.equal(nextWalName(finished, segmentBytes), current);

    const isNew = serverVersion >= 150_000;
    const started = await one<string>(postgres, isNew ? `pg_backup_start('a label', true)` : `pg_start_backup('a label', true, false)`);
    const text = await one<string>(
      postgres,
      isNew ? '(SELECT labelfile FROM pg_backup_stop(false))' : '(SELECT labelfile FROM pg_stop_backup(false, false))',
    );
    const label = parseBackupLabel(text);
    assert.equal(formatLsn(label.startWalLocation), started);
    assert.equal(label.startWalSegment, walNameOf(label.startWalLocation, 1, segmentBytes));
    assert.deepEqual([label.label, label.timeline, label.backupMethod, label.backupFrom], ['a label', 1, 'streamed', 'primary']);
  });
}
