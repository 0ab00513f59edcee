import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { compressSync } from 'snappy';
import { free } from '../../src/codec/stage.ts';
import { ZstdEncoder } from '../../src/codec/zstd.ts';
import type { Flavour } from '../flavour.ts';
import { statOf, ticksPerSecond } from '../meter/processes.ts';
import { run } from '../run.ts';

/** Seconds of processor time for each GiB of plaintext that the native code of a step takes when nothing else is done. */
export interface Ceilings {
  readonly read: number;
  /** What GNU tar takes beyond reading. */
  readonly rest: number;
  readonly compress: number;
  readonly encrypt: number;
  readonly hash: number;
  readonly write: number;
}

const gibibyte = 2 ** 30;
const pieceBytes = 2 ** 20;
const sampleBytesMax = 192 * 2 ** 20;
/** Of one block in its framing. */
const snappyBytes = 65_536;

/** `hash`: of what the work computes a digest, and which one; the tag of the encryption comes on top. */
export interface WorkToRepeat {
  /** Files, and directories with all that is below them. */
  readonly paths: readonly string[];
  readonly bytes: number;
  readonly flavour: Flavour;
  readonly hash: { readonly of: 'plain' | 'sealed'; readonly algorithm: string };
  readonly scratch: string;
}

export async function measureCeilings(work: WorkToRepeat): Promise<Ceilings> {
  const sample = readSample(work.paths);
  const sampleBytes = sample.reduce((sum, { length }) => sum + length, 0);
  const perGibibyte = (seconds: number, bytes = sampleBytes) => (seconds * gibibyte) / bytes;
  const compressed: Buffer[] = [];
  compressAll(sample, work.flavour, (piece) => compressed.push(Buffer.from(piece)));
  const compress = timed(() => compressAll(sample, work.flavour, () => {}));
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const encrypt = work.flavour.isEncrypted ? timed(() => compressed.forEach((piece) => free(cipher.update(piece)))) : 0;
  const hmac = createHmac('sha256', randomBytes(32));
  const tag = work.flavour.isEncrypted ? timed(() => compressed.forEach((piece) => void hmac.update(piece))) : 0;
  const digest = createHash(work.hash.algorithm);
  const hash = timed(() => (work.hash.of === 'plain' ? sample : compressed).forEach((piece) => void digest.update(piece)));
  const write = timed(() => writeAll(join(work.scratch, 'ceiling'), compressed));
  const [cat, tar] = [await secondsOf(catAll(work.paths)), await secondsOf(tarAll(work.paths))];
  return {
    read: perGibibyte(cat, work.bytes),
    rest: perGibibyte(Math.max(0, tar - cat), work.bytes),
    compress: perGibibyte(compress),
    encrypt: perGibibyte(encrypt),
    hash: perGibibyte(hash + tag),
    write: perGibibyte(write),
  };
}

/** Of the files, one after the other as they come, in pieces as the jobs read them. */
function readSample(paths: readonly string[]): Buffer[] {
  const sample = Buffer.alloc(sampleBytesMax);
  let bytes = 0;
  for (const path of paths.flatMap(filesAt)) {
    if (bytes === sampleBytesMax) break;
    bytes += readFileSync(path).copy(sample, bytes);
  }
  return Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, piece) =>
    sample.subarray(piece * pieceBytes, Math.min((piece + 1) * pieceBytes, bytes)),
  );
}

function filesAt(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function compressAll(sample: readonly Buffer[], { compression }: Flavour, sink: (bytes: Uint8Array) => void): void {
  if (compression === 'fast') {
    for (const piece of sample)
      for (let at = 0; at < piece.length; at += snappyBytes) {
        const compressed = compressSync(piece.subarray(at, at + snappyBytes), { copyOutputData: true });
        sink(compressed);
        free(compressed);
      }
    return;
  }
  const encoder = new ZstdEncoder(1, sink);
  for (const piece of sample) void encoder.update(piece);
  void encoder.finish();
  encoder.dispose();
}

function writeAll(path: string, pieces: readonly Buffer[]): void {
  const fd = openSync(path, 'w');
  for (const piece of pieces) writeSync(fd, piece);
  fsyncSync(fd);
  closeSync(fd);
  rmSync(path);
}

function timed(act: () => void): number {
  const { user, system } = process.threadCpuUsage();
  act();
  const after = process.threadCpuUsage();
  return (after.user + after.system - user - system) / 1e6;
}

function catAll(paths: readonly string[]): string {
  return `find ${paths.map(quoted).join(' ')} -type f -print0 | xargs -0 cat > /dev/null`;
}

/** Not into /dev/null: tar would see that and read nothing. */
function tarAll(paths: readonly string[]): string {
  return `tar --create --absolute-names --file=/dev/zero ${paths.map(quoted).join(' ')}`;
}

function quoted(path: string): string {
  return `'${path}'`;
}

async function secondsOf(line: string): Promise<number> {
  const before = statOf(process.pid)?.children ?? 0;
  await run('/bin/sh', ['-c', line]);
  return ((statOf(process.pid)?.children ?? 0) - before) / ticksPerSecond;
}
