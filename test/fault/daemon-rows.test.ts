import { test } from 'node:test';
import { assertTried, type FaultRows } from '../support/fault-rows.ts';

/** What may happen to the daemon and the machine that it runs on, by number, and where it is tried. */
const rows: FaultRows = {
  41: {
    fault: 'the daemon is down',
    tried: [
      ['src/cli/postgres-command.test.ts', 'no server is 2'],
      ['test/fault/daemon-killed-archiving.test.ts', 'loses no segment and leaves nothing torn'],
    ],
  },
  49: {
    fault: 'PostgreSQL ends archive_command',
    tried: [['test/fault/postgres-command-servers.test.ts', 'PostgreSQL ends one that waits at once, and nothing is left of it']],
  },
  70: {
    fault: 'a full disk during a base backup',
    tried: [
      ['test/fault/disk-full.test.ts', 'a full disk under the spool holds WAL and base backups up, and loses nothing'],
      ['src/daemon/lifecycle/spool-room.test.ts', 'room for base backups'],
    ],
  },
  97: {
    fault: 'threads that die, bugs, and kills',
    tried: [
      ['test/fault/daemon-crashes.test.ts', 'a worker dies, and what it did is done by another'],
      ['test/fault/daemon-crashes.test.ts', 'ends with an exit code that has it started again, and nothing is lost'],
      ['src/codec/pool.test.ts', 'a worker that dies rejects its job as worker-died, and the others run on'],
    ],
  },
  98: {
    fault: 'a job that hangs',
    tried: [
      ['test/fault/daemon-hangs.test.ts', 'a store that does not answer holds up its own site only'],
      ['test/fault/daemon-hangs.test.ts', 'a base backup that hangs is given up'],
      ['src/codec/pool.test.ts', 'a thread that waits for a dead disk is left to itself'],
      ['src/daemon/lifecycle/job-watch.test.ts', 'a job that does not even stop is left to itself'],
      ['test/integration/pg-receivewal.test.ts', 'a receiver that hangs while the server writes is started again'],
    ],
  },
  99: {
    fault: 'every signal in every phase',
    tried: [
      ['test/integration/systemd.test.ts', 'a signal during the start is heeded'],
      ['test/fault/daemon-signals.test.ts', 'gives a running base backup up, of which nothing stays'],
      ['test/fault/daemon-signals.test.ts', 'a second SIGTERM ends it at once'],
      ['test/fault/daemon-signals.test.ts', 'SIGHUP, then SIGTERM before it is done, while WAL comes in and goes out'],
      ['test/fault/daemon-signals.test.ts', 'whatever SIGHUP wants meanwhile'],
      ['test/fault/daemon-signals.test.ts', 'SIGHUP with garbage keeps the configuration that is in force'],
      ['test/fault/daemon-signals.test.ts', 'under a running base backup of another site'],
      ['test/integration/reload.test.ts', 'a configuration that is sound but cannot be put to work is taken back'],
      ['test/integration/reload.test.ts', 'while a site takes on another configuration its clients are told to ask again'],
      ['test/integration/unusable-store.test.ts', 'each is mended by its file'],
    ],
  },
  100: {
    fault: 'clocks that jump',
    tried: [
      ['src/retention/decide.test.ts', 'a clock that is a year ahead lets nothing go by its age or a window'],
      ['src/wal/gaps/trouble-book.test.ts', 'a clock that is set back does not put off what has been seen for long enough'],
      ['src/daemon/health/site-health.test.ts', 'ages do not follow a clock that is set'],
      ['src/daemon/lifecycle/silence.test.ts', 'a clock that goes backwards does no harm'],
      ['test/integration/second-daemon.test.ts', 'one that sleeps too long finds the other one at work when it wakes'],
    ],
  },
  101: {
    fault: 'a state that is lost',
    tried: [['test/fault/daemon-state.test.ts', 'the whole disk of the daemon, as of a new container']],
  },
  102: {
    fault: 'a state half written, or of a newer version',
    tried: [
      ['test/fault/daemon-state.test.ts', 'half of the state file'],
      ['test/fault/daemon-state.test.ts', 'a state file of a version to come'],
      ['src/lib/atomic-file.test.ts', 'a failure half-way leaves the old content and no debris'],
      ['test/compat/state-file.test.ts', 'the state file that the original left is taken over'],
    ],
  },
  103: {
    fault: 'root, or somebody else',
    tried: [
      ['src/daemon/check/judges.test.ts', 'who runs it: the owner of the data directory, somebody else, root'],
      ['src/daemon/http/archive.test.ts', 'a daemon that root runs serves other users, and nobody leads it elsewhere'],
      ['src/restore/restore.test.ts', 'root gives files the owner they had at the source'],
    ],
  },
  104: {
    fault: 'limits of the machine',
    tried: [
      ['src/daemon/lifecycle/machine-limits.test.ts', 'too few files that may be open at once are told'],
      ['test/fault/daemon-state.test.ts', 'where backup_location cannot be made, the daemon'],
      ['src/daemon/check/judges.test.ts', 'directories: writable, not writable, no directory'],
      ['src/storage/local/driver-faults.test.ts', 'EROFS'],
    ],
  },
  105: {
    fault: 'more than fits into memory',
    tried: [
      ['src/storage/s3/many-keys.test.ts', 'takes no more memory at its end than at its beginning'],
      ['src/basebackup/chunks.test.ts', 'many files take no more memory than the chunk that is being filled'],
      ['src/codec/seal.test.ts', 'memory stays where it is when much is sealed'],
    ],
  },
};

test('each of the faults 97 to 105, and those of disks and commands beside them, is tried somewhere', () => assertTried(rows));
