import { recordAt } from './record-layout.ts';

/** What a WAL record is to a reader who wants to know when what happened, and not what. */
export const recordKind = {
  /** Of no interest: it is passed over. */
  other: 0,
  /** Nothing that PostgreSQL writes: what follows is not WAL. */
  unknown: 1,
  transaction: 2,
  prepare: 3,
  checkpoint: 4,
  endOfRecovery: 5,
  restorePoint: 6,
  segmentSwitch: 7,
  fileCreated: 8,
  fileTruncated: 9,
  /** May make pages that were not there before. */
  pages: 10,
} as const;
export type RecordKind = (typeof recordKind)[keyof typeof recordKind];

/** Ids of resource managers (rmgrlist.h), the same from PostgreSQL 13 to 18. */
const manager = { xlog: 0, transaction: 1, storage: 2, heap2: 9, heap: 10, btree: 11, hash: 12, gin: 13, gist: 14, spgist: 16, brin: 17 };
/** RM_MAX_BUILTIN_ID */
const managerBuiltInMax = 21;
/** RM_MIN_CUSTOM_ID: of extensions, from 15 on. */
const managerCustomMin = 128;

/** By resource manager, the upper four bits of the record's info (XLR_RMGR_INFO_MASK), of those that are of interest. */
const interesting: readonly (readonly [number, readonly number[], RecordKind])[] = [
  // XLOG_CHECKPOINT_SHUTDOWN, XLOG_CHECKPOINT_ONLINE
  [manager.xlog, [0x00, 0x10], recordKind.checkpoint],
  [manager.xlog, [0x40], recordKind.segmentSwitch],
  [manager.xlog, [0x70], recordKind.restorePoint],
  [manager.xlog, [0x90], recordKind.endOfRecovery],
  // XLOG_FPI: pages that were built elsewhere, such as those of a new index
  [manager.xlog, [0xb0], recordKind.pages],
  // XLOG_XACT_COMMIT, _ABORT, _COMMIT_PREPARED, _ABORT_PREPARED, each without and with XLOG_XACT_HAS_INFO
  [manager.transaction, [0x00, 0x80, 0x20, 0xa0, 0x30, 0xb0, 0x40, 0xc0], recordKind.transaction],
  [manager.transaction, [0x10, 0x90], recordKind.prepare],
  [manager.storage, [0x10], recordKind.fileCreated],
  [manager.storage, [0x20], recordKind.fileTruncated],
  // XLOG_HEAP2_MULTI_INSERT, XLOG_HEAP_INSERT, _UPDATE, _HOT_UPDATE with XLOG_HEAP_INIT_PAGE
  [manager.heap2, [0xd0], recordKind.pages],
  [manager.heap, [0x80, 0xa0, 0xc0], recordKind.pages],
  // XLOG_BTREE_SPLIT_L, _SPLIT_R, _NEWROOT
  [manager.btree, [0x30, 0x40, 0xa0], recordKind.pages],
  // Of the other indexes what adds pages, and not what writes their first page anew, as many of their records do.
  // XLOG_HASH_INIT_META_PAGE, _INIT_BITMAP_PAGE, _ADD_OVFL_PAGE, _SPLIT_ALLOCATE_PAGE
  [manager.hash, [0x00, 0x10, 0x30, 0x40], recordKind.pages],
  // XLOG_GIN_CREATE_PTREE, _SPLIT, _INSERT_LISTPAGE
  [manager.gin, [0x10, 0x30, 0x70], recordKind.pages],
  // XLOG_GIST_PAGE_SPLIT
  [manager.gist, [0x30], recordKind.pages],
  // XLOG_SPGIST_ADD_LEAF, _MOVE_LEAFS, _ADD_NODE, _SPLIT_TUPLE, _PICKSPLIT
  [manager.spgist, [0x10, 0x20, 0x30, 0x40, 0x50], recordKind.pages],
  // XLOG_BRIN_CREATE_INDEX, _REVMAP_EXTEND, _INSERT and _UPDATE with XLOG_BRIN_INIT_PAGE
  [manager.brin, [0x00, 0x40, 0x90, 0xa0], recordKind.pages],
];

/** Kinds by the two bytes that say what a record is: info, then resource manager. */
export const kindByInfoAndManager: Uint8Array = makeTable();

export function kindOf(record: DataView, at: number): RecordKind {
  return kindByInfoAndManager[record.getUint16(at + recordAt.info, true)] as RecordKind;
}

function makeTable(): Uint8Array {
  const table = new Uint8Array(256 << 8).fill(recordKind.other);
  table.fill(recordKind.unknown, (managerBuiltInMax + 1) << 8, managerCustomMin << 8);
  for (const [id, infos, kind] of interesting) for (const info of infos) table.fill(kind, (id << 8) | info, ((id << 8) | info) + 16);
  return table;
}
