import { parseArgs } from 'node:util';
import { runCommand } from '../../src/cli/main.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import type { ObjectSource } from '../../src/storage/object-store.ts';
import { median } from '../results/statistics.ts';
import type { Contest, StoreClient } from './contest.ts';
import { azureContest } from './contests/azure.ts';
import { googleContest } from './contests/google.ts';
import { s3Contest } from './contests/s3.ts';
import { sftpContest } from './contests/sftp.ts';
import { swiftContest } from './contests/swift.ts';
import { listingLine, measureListing } from './listing.ts';

/** A contest per kind of store. */
const contests: readonly Contest[] = [s3Contest, azureContest, googleContest, swiftContest, sftpContest];

const mebibyte = 1024 * 1024;
const segmentMiB = 16;

interface Figure {
  readonly store: string;
  readonly what: string;
  readonly client: string;
  readonly mibPerSecond: number;
  readonly cpuSecondsPerGiB: number;
}

/** `npm run bench:drivers`: what our drivers take to send and fetch, beside the simplest use of the vendors' libraries, in turns on the same server. */
async function main(argv: string[]): Promise<number> {
  const options = {
    mib: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    keys: { type: 'string', default: '5000000' },
    store: { type: 'string' },
    json: { type: 'boolean', default: false },
  } as const;
  const { values } = parseArgs({ args: argv, options });
  const mib = count(values.mib);
  const figures: Figure[] = [];
  for (const contest of contests.filter(({ name }) => (values.store ?? name) === name)) {
    await using started = await contest.start();
    const results: Figure[] = [];
    for (let round = 0; round < count(values.rounds); round++)
      for (const client of turned(started.clients, round)) results.push(...(await measureClient(contest.name, client, mib)));
    for (const client of started.clients) await client.close();
    figures.push(...summarised(results));
  }
  const listing = await measureListing(count(values.keys));
  if (values.json) console.log(JSON.stringify({ figures, listing }, undefined, 2));
  else console.log([...figures.map(line), listingLine(listing)].join('\n'));
  return 0;
}

async function measureClient(store: string, client: StoreClient, mib: number): Promise<Figure[]> {
  const segments = Array.from({ length: Math.ceil(mib / segmentMiB) }, (_, i) => `segment/${i}`);
  const figures: Figure[] = [];
  const measured = async (what: string, work: () => Promise<void>) => {
    const startedMs = systemClock.monotonicMs();
    const cpuBefore = cpuSecondsOf(client);
    await work();
    const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
    const cpuSeconds = cpuSecondsOf(client) - cpuBefore;
    const figure = {
      store,
      what,
      client: client.name,
      mibPerSecond: mib / seconds,
      cpuSecondsPerGiB: (cpuSeconds / mib) * 1024,
    };
    figures.push(figure);
    console.error(`  ${line(figure)}`);
  };
  const segment = patternSource(segmentMiB * mebibyte);
  const large = patternSource(mib * mebibyte);
  await client.prepare?.(segment);
  await measured('put segments', async () => {
    for (const key of segments) await client.put(key, segment);
  });
  await measured('get segments', async () => {
    for (const key of segments) await expectBytes(client, key, segmentMiB * mebibyte);
  });
  await client.prepare?.(large);
  await measured('put one large', () => client.put('large', large));
  await measured('get one large', () => expectBytes(client, 'large', mib * mebibyte));
  return figures;
}

function cpuSecondsOf({ cpuSeconds }: StoreClient): number {
  if (cpuSeconds) return cpuSeconds();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function expectBytes(client: StoreClient, key: string, expected: number): Promise<void> {
  const bytes = await client.get(key);
  if (bytes !== expected) throw new OperatorError('bench-failed', `${client.name} got ${bytes} bytes of ${key}, not ${expected}`);
}

const pattern = Buffer.from(Uint8Array.from({ length: mebibyte }, (_, i) => (i * 2_654_435_761) >>> 24));

function patternSource(size: number): ObjectSource {
  return {
    size,
    async *open() {
      for (let at = 0; at < size; at += pattern.length) yield pattern.subarray(0, Math.min(pattern.length, size - at));
    },
  };
}

function turned<T>(items: readonly T[], by: number): T[] {
  return items.map((_, i) => items[(i + by) % items.length] as T);
}

function summarised(results: readonly Figure[]): Figure[] {
  const names = new Map(results.map((figure) => [`${figure.what} ${figure.client}`, figure]));
  return [...names.values()]
    .map((one) => {
      const same = results.filter(({ what, client }) => what === one.what && client === one.client);
      const cpuSecondsPerGiB = median(same.map((figure) => figure.cpuSecondsPerGiB));
      return { ...one, mibPerSecond: median(same.map((figure) => figure.mibPerSecond)), cpuSecondsPerGiB };
    })
    .toSorted((a, b) => a.what.localeCompare(b.what));
}

function line({ store, what, client, mibPerSecond, cpuSecondsPerGiB }: Figure): string {
  const figures = `${mibPerSecond.toFixed(0).padStart(6)} MiB/s  ${cpuSecondsPerGiB.toFixed(2).padStart(6)} s of CPU per GiB`;
  return `${store.padEnd(8)} ${what.padEnd(14)} ${client.padEnd(16)} ${figures}`;
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new OperatorError('usage', `${text} is not a positive whole number`, {
    hint: 'Usage: npm run bench:drivers -- [--mib 256] [--rounds 3] [--keys 5000000] [--store s3] [--json]',
  });
}

runCommand('bench', main);
