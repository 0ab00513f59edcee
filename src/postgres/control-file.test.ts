import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import type { Clock } from '../lib/clock.ts';
import { explain, isOperatorError } from '../lib/errors.ts';
import { parseControlFile, readControlFile } from './control-file.ts';

/** Real files without their trailing zeros: initdb of each version with --wal-segsize=2 and data checksums, and what pg_controldata says. */
const realFiles: Readonly<Record<string, readonly [version: number, catalog: number, base64: string]>> = {
  '12': [
    1201,
    201909212,
    'zn33TTuhA2uxBAAA3OMIDAEAAAAAAAAAPKEDawAAAADAeqYAAAAAAMB6pgAAAAAAAQAAAAEAAAABAAAAAAAAAOYBAAAAAAAAVTQAAAEAAAAAAAAA3wEAAAEAAAABAAAAAQAAAAAAAAA8oQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAQAAAQAAAItXmYS5jK+gfvnUAaasBLsIu4JBG1k9zYbmiiay01p6QHrpJQ==',
  ],
  '13': [
    1300,
    202007201,
    '/p2oSzyhA2sUBQAAoWIKDAEAAAAAAAAAPKEDawAAAACIPqEAAAAAAIg+oQAAAAAAAQAAAAEAAAABAAAAAAAAAOUBAAAAAAAASDQAAAEAAAAAAAAA3gEAAAEAAAABAAAAAQAAAAAAAAA8oQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAAAAAQAAANY9KWyDZPuLjC9toRUTXyLfk7yFV9x9KaU6UAGzxJIyLcoX/Q==',
  ],
  '14': [
    1300,
    202107181,
    'Ek6R7zyhA2sUBQAALekLDAEAAAAAAAAAPaEDawAAAADQMbQAAAAAANAxtAAAAAAAAQAAAAEAAAABAAAAAAAAAN0CAAAAAAAAgDUAAAEAAAAAAAAA1gIAAAEAAAABAAAAAQAAAAAAAAA9oQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAAAAAQAAANyw+t6JFlugwl2uEgnCqXmntWsY1wFPIUY23kxn+k/7CIiGCA==',
  ],
  '15': [
    1300,
    202209061,
    'H96hPj6hA2sUBQAAJXcNDAEAAAAAAAAAP6EDawAAAAAAFZQAAAAAAAAVlAAAAAAAAQAAAAEAAAABAAAAAAAAANQCAAAAAAAABDUAAAEAAAAAAAAAzAIAAAEAAAABAAAAAQAAAAAAAAA/oQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAAAAAQAAANC1DVvRcRM1Xu1e1TaQX3kH2c7NKYzMUWWVIyQR+1GIKM4UMA==',
  ],
  '16': [
    1300,
    202307071,
    'LO6saT+hA2sUBQAA//UODAEAAAAAAAAAQKEDawAAAADQD5IAAAAAANAPkgAAAAAAAQAAAAEAAAABAAAAAAAAANoCAAAAAAAAtDQAAAEAAAAAAAAA0gIAAAEAAAABAAAAAQAAAAAAAABAoQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAAAAAQAAAOJbbfQgecuyRf2Tyg4KUn8tPbSKzuGZlk8O2nAusH+W81USDQ==',
  ],
  '17': [
    1700,
    202406281,
    'Oe4VikChA2ukBgAAiXkQDAEAAAAAAAAAQaEDawAAAADQGJIAAAAAANAYkgAAAAAAAQAAAAEAAAABAAAAAQAAAOICAAAAAAAAuTQAAAEAAAAAAAAA2gIAAAEAAAABAAAAAQAAAAAAAABBoQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAAAAAQAAAA4XmrQcL6iJcrLDHaRJtzDkYbj1C/m1HdDmYmLosK4ZZSaVTQ==',
  ],
  '18': [
    1800,
    202506291,
    'Tl7BwUGhA2sIBwAAMwASDAEAAAAAAAAAQqEDawAAAACAspQAAAAAAICylAAAAAAAAQAAAAEAAAABAAAAAQAAAPACAAAAAAAAwzQAAAEAAAAAAAAA6AIAAAEAAAABAAAAAQAAAAAAAABCoQNrAAAAAAAAAAAAAAAAAAAAAAAAAADoAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAAAAAAAACH1jJBACAAAAAAAgAAIAAAAAAgAEAAAAAgAAAAzAcAAAAIAAABAAAAAQAAAAGRFpGFVCL+f52a1tqLz2+/Jk6jBQ8RH25ADy9DgTnojwAAAKrpviE=',
  ],
};

function fileOf(base64: string): Buffer {
  return Buffer.concat([Buffer.from(base64, 'base64'), Buffer.alloc(8192)], 8192);
}

const current = fileOf((realFiles['18'] as readonly [number, number, string])[2]);

for (const [major, [version, catalog, base64]] of Object.entries(realFiles)) {
  test(`a real pg_control of PostgreSQL ${major}`, () => {
    const control = parseControlFile(fileOf(base64));
    assert.equal(control.pgControlVersion, version);
    assert.equal(control.catalogVersion, catalog);
    assert.equal(control.state, 'shut down');
    assert.equal(control.timeline, 1);
    assert.equal(control.segmentBytes, 2 * 1024 * 1024);
    assert.equal(control.blockBytes, 8192);
    assert.equal(control.dataChecksums, true);
    assert.equal(control.redoLsn, control.checkpointLsn, 'a shutdown checkpoint');
    assert.deepEqual([control.minRecoveryLsn, control.minRecoveryTimeline], [0n, 0]);
    assert(control.checkpointLsn > 0x80_0000n && control.checkpointLsn < 0x100_0000n);
    assert.equal(control.systemIdentifier >> 48n, 0x6b03n, 'the high bits are the time of initdb');
  });
}

test('every flipped bit of what counts is noticed', () => {
  for (let bit = 0; bit < 296 * 8; bit++) {
    const damaged = Buffer.from(current);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.throws(
      () => parseControlFile(damaged),
      (error) => isOperatorError(error, 'control-file-corrupt', 'control-file-unsupported'),
      `bit ${bit}`,
    );
  }
});

test('truncation is noticed', () => {
  for (const length of [0, 7, 15, 16, 100, 291, 295]) {
    assert.throws(
      () => parseControlFile(current.subarray(0, length)),
      (error) => isOperatorError(error, 'control-file-corrupt'),
      `${length} bytes`,
    );
  }
  assert.equal(parseControlFile(current.subarray(0, 296)).state, 'shut down');
});

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(current);
  change(bytes);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 292)), 292);
  return bytes;
}

test('states', () => {
  assert.equal(parseControlFile(changed((bytes) => bytes.writeInt32LE(6, 16))).state, 'in production');
  assert.equal(parseControlFile(changed((bytes) => bytes.writeInt32LE(5, 16))).state, 'in archive recovery');
  for (const state of [7, -1]) {
    assert.throws(
      () => parseControlFile(changed((bytes) => bytes.writeInt32LE(state, 16))),
      (error) => isOperatorError(error, 'control-file-corrupt'),
    );
  }
});

test('an impossible segment size is refused even with a right checksum', () => {
  assert.throws(() => parseControlFile(changed((bytes) => bytes.writeUInt32LE(3_000_000, 228))), /3000000/);
});

test('unknown formats and other machines', () => {
  const unknown = changed((bytes) => bytes.writeUInt32LE(1900, 8));
  assert.throws(
    () => parseControlFile(unknown),
    (error) => isOperatorError(error, 'control-file-unsupported') && error.message.includes('1900'),
  );
  const bigEndian = changed((bytes) => bytes.writeUInt32BE(1300, 8));
  assert.throws(() => parseControlFile(bigEndian), /byte order/);
});

test('a file that is being written is read again', async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, 'global/pg_control');
    await writeFile(path, current.subarray(0, 200));
    const slept: number[] = [];
    const clock = clockThat(async (ms) => {
      slept.push(ms);
      if (slept.length === 3) await writeFile(path, current);
    });
    assert.equal((await readControlFile(directory, clock)).state, 'shut down');
    assert.equal(slept.length, 3);
  });
});

test('a damaged file is given up, with its name', async () => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'global/pg_control'), Buffer.alloc(8192, 'x').fill(0).fill(current.subarray(0, 100), 0, 100));
    const error: unknown = await readControlFile(
      directory,
      clockThat(async () => {}),
    ).catch((reason: unknown) => reason);
    assert(isOperatorError(error, 'control-file-corrupt'));
    assert.match(explain(error), /global\/pg_control.*checksum/s);
  });
});

test('a directory without pg_control', async () => {
  await withDirectory(async (directory) => {
    await assert.rejects(readControlFile(directory), (error) => isOperatorError(error, 'control-file-unreadable'));
  });
});

function clockThat(sleep: (ms: number) => Promise<void>): Clock {
  return { now: () => new Date(0), monotonicMs: () => 0, sleep };
}

async function withDirectory(work: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'pghoard-'));
  try {
    await mkdir(join(path, 'global'));
    await work(path);
  } finally {
    await rm(path, { recursive: true });
  }
}
