import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupFormat } from '../catalog/backup-format.ts';
import { isOperatorError } from '../lib/errors.ts';
import { type Layout, placeOf } from './layout.ts';

const tablespaces = [
  { name: 'fast', oid: 16385, directory: '/ts/fast' },
  { name: 'fast/er', oid: 16386, directory: '/ts/faster' },
  { name: '..', oid: 16387, directory: '/ts/dots' },
];
const layout = (format: BackupFormat): Layout => ({ format, dataDirectory: '/data', tablespaces });

const placed: [format: BackupFormat, path: string, place: string | undefined][] = [
  ['raw', 'base/1/1259', '/data base/1/1259'],
  ['raw', './base//1/./1259', '/data base/1/1259'],
  ['raw', 'backup_manifest', '/data backup_manifest'],
  ['raw', 'postmaster.pid', undefined],
  ['raw', 'standby.signal', undefined],
  ['raw', 'base/standby.signal', '/data base/standby.signal'],
  ['raw', '..a/b..', '/data ..a/b..'],
  ['pghoard-bb-v2', '.pghoard_tar_metadata.json', undefined],
  ['pghoard-bb-v2', 'pgdata', '/data '],
  ['pghoard-bb-v2', 'pgdata/global/pg_control', '/data global/pg_control'],
  ['pghoard-bb-v2', 'pgdata/recovery.conf', undefined],
  ['pghoard-bb-v1', 'tablespaces', undefined],
  ['pghoard-bb-v1', 'tablespaces/fast', '/ts/fast '],
  ['pghoard-bb-v1', 'tablespaces/fast/PG_15/1', '/ts/fast PG_15/1'],
  ['pghoard-bb-v2', 'tablespaces/fast/er/PG_15/1', '/ts/faster PG_15/1'],
  ['pghoard-bb-v2', 'tablespaces/../PG_15/1', '/ts/dots PG_15/1'],
];
for (const [format, path, expected] of placed) {
  test(`${format}: ${path} goes to ${expected ?? 'nowhere'}`, () => {
    const place = placeOf(path, layout(format));
    assert.equal(place && `${place.root} ${place.relative}`, expected);
  });
}

const unsafe: [format: BackupFormat, path: string][] = [
  ['raw', '../etc/passwd'],
  ['raw', 'base/../../etc/passwd'],
  ['raw', 'base/..'],
  ['raw', '/etc/passwd'],
  ['raw', 'base/1\0.txt'],
  ['raw', 'pghoard_restore_incomplete'],
  ['raw', 'global/./pg_control.pghoard_restoring'],
  ['pghoard-bb-v2', '/etc/passwd'],
  ['pghoard-bb-v2', 'etc/passwd'],
  ['pghoard-bb-v2', 'pgdata/../../etc/passwd'],
  ['pghoard-bb-v2', 'pgdata//etc/../../passwd'],
  ['pghoard-bb-v2', 'pgdatax/base'],
  ['pghoard-bb-v2', './pgdata/base'],
  ['pghoard-bb-v2', 'tablespaces/fast/../../x'],
  ['pghoard-bb-v2', 'tablespaces/slow/1'],
  ['pghoard-bb-v2', 'tablespaces/fast//etc/passwd/..'],
];
for (const [format, path] of unsafe) {
  test(`${format}: ${JSON.stringify(path)} is refused by name`, () => {
    assert.throws(
      () => placeOf(path, layout(format)),
      (error) => isOperatorError(error, 'tar-unsafe') && error.message.includes(path.replace('\0', '?')),
    );
  });
}
