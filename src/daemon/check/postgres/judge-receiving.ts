import { inUnits } from '../../../lib/bytes-in-words.ts';
import { walreceiverName } from '../../../wal/receive/walreceiver.ts';
import { type Finding, failure, note, ok, warning } from '../finding.ts';
import { judgeTimeout } from './judge-archiving.ts';
import type { Needs } from './needs.ts';
import type { ServerFacts, SlotFacts } from './server-facts.ts';
import { alterSystem, sqlText } from './sql-text.ts';

type ReceivingFacts = Pick<ServerFacts, 'settings' | 'slots' | 'senders' | 'isStandby'>;

export interface Receiving {
  readonly needs: Needs;
  readonly slot: string | null;
  /** What the receiver calls itself. */
  readonly applicationName: string;
}

const mib = 1024 * 1024;
const keptBytesMin = 1024 * mib;
const heldBytesMax = 16 * 1024 * mib;

/** Slots, senders and standbys, for sites whose WAL is received. */
export function judgeReceiving(facts: ReceivingFacts, receiving: Receiving): Finding[] {
  const { settings } = facts;
  return [
    ...judgeSlot(facts.slots, receiving, settings),
    judgeLimits(settings, receiving.slot),
    ...(receiving.needs.walDurability === 'store' ? [] : [judgeTimeout(settings.get('archive_timeout'))]),
    ...judgeStandbyNames(settings, receiving),
  ];
}

/** Each connection that receives WAL or a base backup takes one. */
export function judgeSenders({ settings, senders, slots }: ReceivingFacts, slot: string | null): Finding {
  const most = Number(settings.get('max_wal_senders') ?? 0);
  if (most === 0)
    return failure(
      'wal-senders',
      'max_wal_senders is 0: nobody can receive WAL',
      ...alterSystem('max_wal_senders', '10', 'after a restart'),
    );
  const used = senders ?? 0;
  const ours = slots?.find(({ name }) => name === slot)?.isActive === true;
  const text = `${used} of ${most} max_wal_senders are in use`;
  if (used < most || ours) return ok('wal-senders', text);
  return failure(
    'wal-senders',
    `${text}: there is none left for pghoard`,
    ...alterSystem('max_wal_senders', String(most + 5), 'after a restart'),
  );
}

function judgeSlot(slots: readonly SlotFacts[] | undefined, { slot, needs }: Receiving, settings: ReadonlyMap<string, string>): Finding[] {
  if (slot === null) {
    const kept = Number(settings.get('wal_keep_size') ?? 0);
    const text = `the node has no slot: WAL that is not received in time is removed by the server${kept > 0 ? `, which keeps ${kept} MB of it` : ''}`;
    return [warning('slot', text, ...createSlot('pghoard'), '"slot": "pghoard" in the entry of "nodes"')];
  }
  if (slots === undefined) return [note('slot', 'the slots of the server cannot be read with this role')];
  const found = slots.find(({ name }) => name === slot);
  if (found === undefined) {
    if (needs.receiving === 'walreceiver') return [ok('slot', `slot ${slot} is not there yet; the daemon makes it`)];
    return [failure('slot', `slot ${slot} does not exist`, ...createSlot(slot))];
  }
  return [judgeFoundSlot(found, slot)];
}

function judgeFoundSlot({ type, isActive, walStatus, heldBytes }: SlotFacts, slot: string): Finding {
  const drop = `SELECT pg_drop_replication_slot(${sqlText(slot)});`;
  if (type !== 'physical') return failure('slot', `slot ${slot} is a ${type} one, but must be physical`, 'choose another name for "slot"');
  if (walStatus === 'lost')
    return failure(
      'slot',
      `slot ${slot} was invalidated: WAL was removed before it was received`,
      'nothing where the daemon runs: it makes the slot anew and takes a base backup; else:',
      drop,
      ...createSlot(slot),
    );
  const held = heldBytes === null ? 'nothing yet' : inUnits(heldBytes);
  if (walStatus === 'unreserved')
    return failure(
      'slot',
      `slot ${slot} is about to lose WAL: it holds ${held}, more than max_slot_wal_keep_size`,
      'start pghoard at once, or raise max_slot_wal_keep_size',
    );
  if (!isActive) return warning('slot', `slot ${slot} is there, but nobody receives through it; it holds ${held}`, 'start pghoard');
  if (heldBytes !== null && heldBytes > heldBytesMax)
    return warning(
      'slot',
      `slot ${slot} is in use, but holds ${held} of WAL`,
      'look into the log of pghoard: is the store slow, or the disk full?',
    );
  return ok('slot', `slot ${slot} is in use and holds ${held}`);
}

function judgeLimits(settings: ReadonlyMap<string, string>, slot: string | null): Finding {
  const limitMb = Number(settings.get('max_slot_wal_keep_size') ?? -1);
  if (slot === null) {
    const keptMb = Number(settings.get('wal_keep_size') ?? 0);
    if (keptMb * mib >= keptBytesMin) return ok('wal-limits', `wal_keep_size is ${inUnits(keptMb * mib)}`);
    return warning(
      'wal-limits',
      `wal_keep_size is ${inUnits(keptMb * mib)}: without a slot that is all a break of pghoard may take`,
      ...alterSystem('wal_keep_size', '10GB', 'at once'),
    );
  }
  if (limitMb < 0)
    return note(
      'wal-limits',
      'max_slot_wal_keep_size is -1: the slot keeps WAL until the disk of the server is full',
      ...alterSystem('max_slot_wal_keep_size', '100GB', 'at once'),
    );
  if (limitMb * mib >= keptBytesMin) return ok('wal-limits', `max_slot_wal_keep_size is ${inUnits(limitMb * mib)}`);
  return warning(
    'wal-limits',
    `max_slot_wal_keep_size is ${inUnits(limitMb * mib)}: a short break of pghoard costs WAL`,
    ...alterSystem('max_slot_wal_keep_size', '100GB', 'at once'),
  );
}

/** Whether commits wait for us, and whether that can work. */
export function judgeStandbyNames(settings: ReadonlyMap<string, string>, { needs, applicationName }: Receiving): Finding[] {
  const names = settings.get('synchronous_standby_names') ?? '';
  const isNamed = namesIn(names).some((name) => name === '*' || name.toLowerCase() === applicationName.toLowerCase());
  if (!isNamed) {
    if (needs.walDurability !== 'store') return [];
    const text = 'wal_durability is "store", but synchronous_standby_names does not name pghoard: no commit waits for the store';
    return [note('synchronous', text, ...alterSystem('synchronous_standby_names', applicationName, 'at once'))];
  }
  if (needs.receiving !== 'walreceiver' && !names.includes('*')) {
    const text = `synchronous_standby_names names ${applicationName}, but only a walreceiver can be waited for: commits hang`;
    return [
      failure('synchronous', text, 'active_backup_mode: "walreceiver"', 'or:', ...alterSystem('synchronous_standby_names', '', 'at once')),
    ];
  }
  if (settings.get('synchronous_commit') === 'remote_apply') {
    return [
      failure(
        'synchronous',
        'commits wait until pghoard has applied them, which it never does',
        ...alterSystem('synchronous_commit', 'on', 'at once'),
      ),
    ];
  }
  return [
    ok(
      'synchronous',
      `commits may wait for ${applicationName}: until their WAL is ${needs.walDurability === 'store' ? 'in the store' : 'on the disk of this host'}`,
    ),
  ];
}

/** `ANY 1 (a, "b")`, `FIRST 2 (a, b)`, `2 (a, b)`, `a, b` */
function namesIn(text: string): string[] {
  const list = /\(([^)]*)\)/.exec(text)?.[1] ?? text;
  return list
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
    .filter((name) => name !== '');
}

export function receiverName(applicationName: string | undefined): string {
  return applicationName ?? walreceiverName;
}

function createSlot(name: string): string[] {
  return [`SELECT pg_create_physical_replication_slot(${sqlText(name)}, true);`];
}
