import { test } from 'node:test';
import { assertTried, type FaultRows } from '../support/fault-rows.ts';

const files = 'test/integration/basebackup-files.test.ts';
const modes = 'test/integration/basebackup-modes.test.ts';
const check = 'test/integration/check-servers.test.ts';
const walk = 'src/basebackup/walk.test.ts';

/** What may happen while a base backup is taken, by number, and where it is tried. */
const rows: FaultRows = {
  59: {
    fault: 'files that vanish, shrink, grow or become something else',
    tried: [
      [files, 'a file that shrinks while it is read'],
      [files, 'a file that grows while it is read'],
      [files, 'what is no longer the file that was found is left out: gone, a directory, a link, a pipe'],
      [walk, 'a database dropped during the walk is no failure'],
      ['test/integration/basebackup-delta.test.ts', 'what was sealed names the object where the file changed after it was hashed'],
    ],
  },
  60: {
    fault: 'PostgreSQL crashes in the middle',
    tried: [
      ['test/fault/postgres-killed.test.ts', 'backup: that one fails and is taken again by itself'],
      ['test/fault/postgres-killed.test.ts', 'PostgreSQL killed -9 under pg_basebackup'],
    ],
  },
  61: {
    fault: 'WAL that a backup needs at its end and that does not arrive',
    tried: [
      [modes, 'a server that cannot archive its WAL does not hold up the end of a base backup'],
      ['src/retention/prune.test.ts', 'nothing goes until the last WAL that the newest backup needs is stored'],
      ['test/fault/daemon-hangs.test.ts', 'a base backup that hangs is given up, nothing of it stays, and WAL goes its way'],
    ],
  },
  62: {
    fault: 'a backup that takes longer than the server keeps WAL',
    tried: [
      ['src/daemon/next-step.test.ts', 'an obstacle is named'],
      ['test/integration/pg-receivewal-holes.test.ts', 'WAL that the server has removed leads to a new base backup'],
      ['test/integration/wal-gaps.test.ts', 'where nobody has it any more a base backup is taken'],
    ],
  },
  63: {
    fault: 'pages with wrong checksums',
    tried: [
      ['test/integration/page-checksums.test.ts', 'the base backup is complete all the same, the page is told of'],
      ['test/integration/page-checksums.test.ts', 'a backup with a damaged page can be restored whole'],
    ],
  },
  64: {
    fault: 'very many files, very large ones, none',
    tried: [
      ['src/basebackup/chunks.test.ts', 'many files take no more memory than the chunk that is being filled'],
      ['src/basebackup/chunks.test.ts', 'a file larger than a chunk gets one'],
      ['src/basebackup/chunks.test.ts', 'nothing found makes no chunk'],
      [walk, 'a directory with more entries than one batch comes out whole'],
      ['src/tar/header.test.ts', '16 TiB and a byte'],
    ],
  },
  65: {
    fault: 'tablespaces with odd names, in odd places',
    tried: [
      [modes, 'two tablespaces come back with their contents'],
      [walk, 'a tablespace in place is a part of PGDATA, one that lies inside PGDATA is taken only once'],
      ['test/integration/tablespaces.test.ts', 'a mode that cannot hold tablespaces says so'],
    ],
  },
  66: {
    fault: 'a configuration that lies elsewhere, or is not there',
    tried: [
      [walk, 'data of the cluster that was moved elsewhere is read through them'],
      ['src/restore/advice.test.ts', 'settings kept elsewhere'],
    ],
  },
  67: {
    fault: 'a role without privileges, a server that lets nobody in',
    tried: [
      [modes, 'a role that may not is told what it needs'],
      [check, 'a role that may do nothing gets what it needs by the statements that are told'],
      [check, 'no line in pg_hba.conf: the one that is told lets replication in'],
    ],
  },
  68: {
    fault: 'two daemons on one site',
    tried: [
      ['test/integration/second-daemon.test.ts', 'the second one waits, says for whom, and takes no base backups'],
      ['test/integration/second-daemon.test.ts', 'when the first one is killed it takes over in its time'],
    ],
  },
  69: {
    fault: 'what PostgreSQL makes anew',
    tried: [
      ['src/basebackup/exclusions.test.ts', 'what a base backup holds of PGDATA'],
      ['src/basebackup/exclusions.test.ts', 'of an unlogged relation only the init fork is taken'],
      [walk, 'without what PostgreSQL makes anew'],
    ],
  },
};

test('each of the faults 59 to 69 is tried somewhere', () => assertTried(rows));
