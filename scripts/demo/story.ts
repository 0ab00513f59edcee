import { basename } from 'node:path';
import type { SystemUser } from '../../test/support/system-user.ts';
import {
  archiveCommand,
  archiveWal,
  bytesBelow,
  configure,
  createKeys,
  type Daemon,
  firstBackup,
  firstDrill,
  startDaemon,
} from './daemon.ts';
import type { Database } from './database.ts';
import { startEmbedded } from './embedded-database.ts';
import { useGiven } from './given-database.ts';
import type { DemoOptions } from './options.ts';
import { type Place, takePlace } from './place.ts';
import type { Processes } from './processes.ts';
import { buy, createTable, dropTable, type Fingerprint, fingerprint, nextSecond } from './purchases.ts';
import { fingerprintOfRestored, type Restored, restore, startRestored } from './restore.ts';
import { megabytes, say, step } from './screen.ts';
import { sayWhatNext } from './what-next.ts';

export interface Ending {
  /** Whether the restored rows are those that were there before the mistake. */
  readonly right: boolean;
  sayWhatNext(): void;
}

interface Scene {
  readonly place: Place;
  readonly database: Database;
  readonly daemon: Daemon;
  readonly processes: Processes;
}

/** The main job, one printed line for each step. */
export async function backUpAndRestore(
  options: DemoOptions,
  user: SystemUser,
  processes: Processes,
  cleanup: AsyncDisposableStack,
): Promise<Ending> {
  const { place, database } = await openDatabase(options, user, processes);
  cleanup.defer(() => database.leave());
  await createTable(database);
  await writeRows(database, Math.floor(options.rows / 2), 'before the backup');
  const daemon = await openDaemon(place, database, processes);
  const scene: Scene = { place, database, daemon, processes };
  await takeBackup(scene);
  await writeRows(database, Math.ceil(options.rows / 2), 'after the backup');
  const { second, before } = await rememberSecond(scene);
  await makeMistake(scene);
  await storeWal(scene);
  const restored = await restoreTo(second, scene);
  const right = await compare(before, restored, scene);
  await awaitDrill(scene);
  return { right, sayWhatNext: () => sayWhatNext({ place, database, daemon, restored }) };
}

async function openDatabase({ dsn }: DemoOptions, user: SystemUser, processes: Processes): Promise<{ place: Place; database: Database }> {
  if (dsn !== undefined) {
    return step('connecting to PostgreSQL', async () => {
      const database = await useGiven(dsn);
      return [`${database.version} on ${database.dataDirectory} found fit`, { place: await takePlace(database.owner), database }];
    });
  }
  return step('starting an embedded PostgreSQL', async () => {
    const place = await takePlace(user);
    const database = await startEmbedded(place, processes);
    return [`embedded ${database.version} started on a new cluster`, { place, database }];
  });
}

async function openDaemon(place: Place, database: Database, processes: Processes): Promise<Daemon> {
  return step('starting the pghoard daemon', async () => {
    const daemon = await configure(place, database);
    await createKeys(place, daemon, processes);
    await startDaemon(place, daemon, processes);
    await database.archiveWith(archiveCommand(place, daemon)); // not before: the archiver pauses for a minute where nobody answers
    return [`pghoard daemon up on port ${daemon.port}, with new encryption keys`, daemon];
  });
}

async function writeRows(database: Database, rows: number, when: string): Promise<void> {
  await step(`writing rows ${when}`, async () => {
    await buy(database, rows);
    return [`${rows} rows written ${when}`, undefined];
  });
}

async function takeBackup({ daemon, processes }: Scene): Promise<void> {
  await step('waiting for the first base backup', async (show) => {
    const name = await firstBackup(daemon, processes, show);
    const stored = megabytes(await bytesBelow(daemon.storeDirectory));
    return [`first base backup stored, compressed and encrypted: ${basename(name, '.00000000.pghoard')}, ${stored}`, undefined];
  });
}

async function rememberSecond({ database }: Scene): Promise<{ second: string; before: Fingerprint }> {
  return step('noting the time', async () => {
    const before = await fingerprint(database.query);
    const second = await nextSecond(database);
    return [`it is ${second}, and there are ${before.rows} rows`, { second, before }];
  });
}

async function makeMistake({ database }: Scene): Promise<void> {
  await step('making a mistake', async () => {
    await buy(database, 1000);
    await dropTable(database);
    return ['mistake made: 1000 more rows, then DROP TABLE pghoard_demo.purchases', undefined];
  });
}

async function storeWal({ database, daemon, processes }: Scene): Promise<void> {
  await step('archiving WAL', async () => {
    const segment = await archiveWal(database, daemon, processes);
    return [`WAL archived up to ${segment}`, undefined];
  });
}

async function restoreTo(second: string, { place, database, daemon, processes }: Scene): Promise<Restored> {
  const restored = await step('restoring', async (show) => {
    const result = await restore({ place, database, daemon, processes }, second, show);
    return [`restored to ${second} into a second directory`, result];
  });
  await step('starting the restored cluster', async () => {
    await startRestored(place, database, restored, processes);
    return ['restored cluster started, WAL replayed', undefined];
  });
  return restored;
}

async function compare(before: Fingerprint, restored: Restored, { database }: Scene): Promise<boolean> {
  return step('comparing', async () => {
    const after = await fingerprintOfRestored(database, restored);
    const right = after.rows === before.rows && after.checksum === before.checksum;
    if (!right) say(`expected ${JSON.stringify(before)}, restored ${JSON.stringify(after)}`);
    return [right ? `all ${after.rows} rows are back, and their checksum is the same` : 'the restored rows are NOT right', right];
  });
}

async function awaitDrill({ daemon, processes }: Scene): Promise<void> {
  await step('waiting for the first restore drill', async () => {
    const until = await firstDrill(daemon, processes);
    return [`restore drill passed, held by the daemon itself: proven up to ${until}`, undefined];
  });
}
