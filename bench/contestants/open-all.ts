import { join } from 'node:path';
import type { TestPostgres } from '../../test/support/postgres.ts';
import type { Arena, Contestant, OpenContestant } from '../contestant.ts';
import { makeOwn } from '../files.ts';
import { type Flavour, type FlavourName, flavours } from '../flavour.ts';
import { openCopy } from './copy.ts';
import { openPgBasebackup } from './pg-basebackup.ts';
import { openPgbackrest } from './pgbackrest.ts';
import { openPghoard, openStreaming } from './pghoard.ts';
import { pghoardReceiver, pgReceivewal, type Receiver } from './receivers.ts';

/** Where every tool gets a directory of its own. */
export interface Ground {
  /** In which all are set up that have them. */
  readonly packed: readonly FlavourName[];
  readonly postgres: TestPostgres;
  readonly scratch: string;
  readonly threads: number;
}

const tools: readonly (readonly [name: string, open: OpenContestant])[] = [
  ['pghoard', (arena) => openPghoard(arena)],
  ['pghoard-stream', openStreaming],
  ['pgbackrest', (arena) => openPgbackrest(arena)],
  ['pg_basebackup', openPgBasebackup],
  ['copy', openCopy],
];

/** All that take base backups, in every flavour that is wanted and that they have. */
export async function openBackupTools(ground: Ground, owner: AsyncDisposableStack): Promise<Contestant[]> {
  const opened: Contestant[] = [];
  for (const kind of ground.packed) {
    for (const [name, open] of tools) {
      const contestant = await open(await arenaOf(ground, `${name}-${kind}`, flavours[kind]));
      if (contestant) opened.push(owner.use(contestant));
    }
  }
  return opened;
}

/** Ours, telling where its time goes. */
export async function openMeasured(ground: Ground, owner: AsyncDisposableStack): Promise<Contestant[]> {
  const opened: Contestant[] = [];
  for (const kind of ground.packed)
    opened.push(owner.use(await openPghoard(await arenaOf(ground, `measured-${kind}`, flavours[kind]), { isMeasured: true })));
  return opened;
}

/** One that runs its commands ahead of being asked, in the background. */
export async function openAsyncArchiver(ground: Ground, owner: AsyncDisposableStack): Promise<Contestant[]> {
  const contestant = await openPgbackrest(await arenaOf(ground, 'pgbackrest-async', flavours.encrypted), true);
  return contestant ? [owner.use(contestant)] : [];
}

export async function openReceivers(ground: Ground): Promise<Receiver[]> {
  const arena = (name: string) => arenaOf(ground, name, flavours.encrypted);
  return [
    pghoardReceiver('walreceiver', await arena('walreceiver')),
    pghoardReceiver('pg_receivexlog', await arena('pg_receivexlog')),
    pgReceivewal(await arena('pg_receivewal')),
  ];
}

async function arenaOf({ postgres, scratch, threads }: Ground, name: string, flavour: Flavour): Promise<Arena> {
  return { postgres, directory: await makeOwn(join(scratch, name)), threads, flavour };
}
