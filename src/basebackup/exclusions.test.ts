import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isLeftOutOfData,
  isLeftOutOfTablespace,
  isRelationDirectory,
  isResetAtStart,
  isTemporaryRelation,
  unloggedRelationOf,
} from './exclusions.ts';

const taken = [
  'PG_VERSION',
  'backup_label_of_mine',
  'base/5/1259',
  'base/5/1259.old',
  'base/5/backup_label',
  'base/5/pg_filenode.map',
  'conf.d/extra.conf~',
  'global/1213',
  'log/postgresql.log',
  'pg_hba.conf',
  'pg_logical/replorigin_checkpoint',
  'pg_multixact/members/0000',
  'pg_stat/pgstat.stat',
  'pg_tblspc',
  'pg_twophase/00000300',
  'pg_xact/0000',
  'postgresql.auto.conf',
  'postgresql.conf',
  'recovery.done',
  'server.key',
];
const leftOut = [
  '.pghoard_tar_metadata.json',
  '.s.PGSQL.5432',
  'backup_label',
  'backup_label.old',
  'backup_manifest',
  'base/5/pg_internal.init',
  'base/5/pg_internal.init.4711',
  'base/pgsql_tmp',
  'base/pgsql_tmp/pgsql_tmp4711.0',
  'current_logfiles.tmp',
  'global/pg_control',
  'global/pg_internal.init',
  'lost+found',
  'pg_dynshmem',
  'pg_log',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
  'pg_xlog',
  'postgresql.auto.conf.tmp',
  'postgresql.conf~',
  'postmaster.opts',
  'postmaster.pid',
  'promote',
  'recovery.conf',
  'recovery.signal',
  'standby.signal',
  'tablespace_map',
];

test('what a base backup holds of PGDATA', () => {
  for (const path of taken) assert.equal(isLeftOutOfData(path), false, path);
  for (const path of leftOut) assert.equal(isLeftOutOfData(path), true, path);
});

test('of a tablespace only the directory of this major version is taken', () => {
  for (const path of ['PG_15_202209061', 'PG_15_202209061/5', 'PG_15_202209061/5/16385'])
    assert.equal(isLeftOutOfTablespace(path, '15'), false, path);
  const strangers = ['PG_14_202107181', 'PG_1_5', 'lost+found', 'notes.txt', 'PG_15_202209061/pgsql_tmp'];
  for (const path of strangers) assert.equal(isLeftOutOfTablespace(path, '15'), true, path);
});

test('relations lie in the directories of databases, in tablespaces too', () => {
  for (const path of ['base/5', 'PG_15_202209061/16384', 'pg_tblspc/16390/PG_15_202209061/5'])
    assert.equal(isRelationDirectory(path), true, path);
  for (const path of ['base', 'global', 'base/pgsql_tmp', 'base/5/x', 'log/5', 'pg_tblspc/16390'])
    assert.equal(isRelationDirectory(path), false, path);
});

test('temporary relations are known by their names', () => {
  for (const name of ['t3_16384', 't12_16384_fsm', 't3_16384_vm.1', 't3_16384.7']) assert.equal(isTemporaryRelation(name), true, name);
  for (const name of ['16384', 't3', 't_16384', 't3_16384_x', 't3_', 'xt3_16384']) assert.equal(isTemporaryRelation(name), false, name);
});

test('of an unlogged relation only the init fork is taken', () => {
  assert.equal(unloggedRelationOf('16384_init'), '16384');
  assert.equal(unloggedRelationOf('16384_init.1'), '16384');
  assert.equal(unloggedRelationOf('16384_fsm'), undefined);
  const unlogged = new Set(['16384']);
  for (const name of ['16384', '16384.1', '16384_fsm', '16384_vm.2']) assert.equal(isResetAtStart(name, unlogged), true, name);
  for (const name of ['16384_init', '16384_init.1', '163840', '16385', 'pg_filenode.map'])
    assert.equal(isResetAtStart(name, unlogged), false, name);
});
