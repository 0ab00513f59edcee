import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { CompressionAlgorithm, SealOptions, UnsealOptions } from './codec-options.ts';
import { createKeyPair } from './keys.ts';
import { Sealer } from './seal.ts';
import { sealBytes, unsealBytes } from './seal-bytes.ts';
import { Unsealer } from './unseal.ts';

const mib = 1024 * 1024;
const algorithms: readonly CompressionAlgorithm[] = ['snappy', 'zstd', 'lzma'];
const keys = { publicKey: '', privateKey: '' };

before(async () => {
  Object.assign(keys, await createKeyPair(1024));
});

interface Case {
  readonly name: string;
  readonly encrypted: boolean;
  readonly algorithm: CompressionAlgorithm;
  readonly seal: () => SealOptions;
  readonly unseal: () => UnsealOptions;
}

const cases: readonly Case[] = algorithms.flatMap((algorithm) =>
  [false, true].map((encrypted) => ({
    name: `${algorithm}, ${encrypted ? 'encrypted' : 'plain'}`,
    encrypted,
    algorithm,
    seal: () => ({ compression: { algorithm, level: 0 }, ...(encrypted && { publicKey: keys.publicKey }), plainHash: 'sha1' }),
    unseal: () => ({ compression: algorithm, ...(encrypted && { privateKey: keys.privateKey }), plainHash: 'sha1' }),
  })),
);

for (const { name, seal, unseal } of cases) {
  test(`${name}: what was sealed comes back, whatever the size`, async () => {
    for (const bytes of [0, 1, 65_535, 65_536, 65_537, mib - 1, mib, mib + 1, 5 * mib + 12_345]) {
      const plain = bytes < mib ? Buffer.alloc(bytes, 'some text ') : randomBytes(bytes);
      const sealed: Buffer[] = [];
      const sealer = new Sealer(seal(), (part) => void sealed.push(Buffer.from(part)));
      for (let at = 0; at < bytes; at += 700_001) await sealer.update(plain.subarray(at, at + 700_001));
      const sealResult = await sealer.finish();
      const stored = Buffer.concat(sealed);
      const plainHash = createHash('sha1').update(plain).digest('hex');
      assert.deepEqual(sealResult, { plainBytes: bytes, sealedBytes: stored.length, plainHash });

      const opened: Buffer[] = [];
      const unsealer = new Unsealer(unseal(), (part) => void opened.push(Buffer.from(part)));
      for (let at = 0; at < stored.length; at += 300_007) await unsealer.update(stored.subarray(at, at + 300_007));
      assert.deepEqual(await unsealer.finish(), sealResult);
      assert.ok(Buffer.concat(opened).equals(plain));
    }
  });
}

for (const { name, algorithm, encrypted, seal, unseal } of cases) {
  test(`${name}: no cut goes unnoticed`, async () => {
    const stored = await sealBytes(Buffer.from('some text that is sealed'), seal());
    // Cuts that leave a whole object: nothing at all is how nothing is encrypted; a snappy stream may end after its identifier.
    const wholeAt = encrypted ? [0] : algorithm === 'snappy' ? [10] : [];
    const step = algorithm === 'lzma' ? 9 : 1;
    for (let bytes = 0; bytes < stored.length; bytes += step) {
      if (wholeAt.includes(bytes)) assert.equal((await unsealBytes(stored.subarray(0, bytes), unseal(), 100)).length, 0);
      else await assert.rejects(unsealBytes(stored.subarray(0, bytes), unseal(), 100), isCorrupt, `${bytes} of ${stored.length} bytes`);
    }
  });

  test(`${name}: nothing may follow the end`, async () => {
    const stored = await sealBytes(Buffer.from('some text that is sealed'), seal());
    for (const junk of [Buffer.alloc(1), Buffer.from('j'), randomBytes(40)]) {
      await assert.rejects(unsealBytes(Buffer.concat([stored, junk]), unseal(), 100), isCorrupt);
    }
  });
}

test('no flipped bit of an encrypted object goes unnoticed', async () => {
  const options = { compression: { algorithm: 'snappy', level: 0 }, publicKey: keys.publicKey } as const;
  const stored = await sealBytes(Buffer.from('some text that is sealed'), options);
  for (let bit = 0; bit < stored.length * 8; bit++) {
    const damaged = Buffer.from(stored);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const opened = unsealBytes(damaged, { compression: 'snappy', privateKey: keys.privateKey }, 100);
    await assert.rejects(opened, (error) => isOperatorError(error, 'object-corrupt', 'key-wrong'), `bit ${bit}`);
  }
});

test('an object without compression and encryption is passed on', async () => {
  assert.deepEqual(await unsealBytes(Buffer.from('as it is'), {}, 100), Buffer.from('as it is'));
});

test('what holds more than it may is refused', async () => {
  const bomb = await sealBytes(Buffer.alloc(20 * mib), { compression: { algorithm: 'zstd', level: 3 } });
  await assert.rejects(unsealBytes(bomb, { compression: 'zstd' }, 1000), isCorrupt);
});

test('an error of the sink is passed on as it is, and nothing can be finished after it', async () => {
  for (const { seal } of cases) {
    const full = new OperatorError('disk-full', 'no room', { retryable: true });
    const sealer = new Sealer(seal(), () => {
      throw full;
    });
    const sealing = async () => {
      await sealer.update(randomBytes(3 * mib));
      await sealer.finish();
    };
    await assert.rejects(sealing(), (error) => error === full);
    await assert.rejects(
      async () => sealer.update(Buffer.from('more')),
      (error) => error === full,
    );
    await assert.rejects(sealer.finish(), (error) => error === full);
  }
});

test('damage that was found stays found', async () => {
  const unsealer = new Unsealer({ compression: 'snappy' }, () => {});
  assert.throws(() => void unsealer.update(Buffer.from('not snappy')), isCorrupt);
  await assert.rejects(unsealer.finish(), isCorrupt);
});

test('keys that cannot be used and levels that there are not are refused at once', () => {
  const compression = { algorithm: 'snappy', level: 0 } as const;
  const keyInvalid = { code: 'key-invalid' };
  assert.throws(() => new Sealer({ compression, publicKey: 'no key' }, () => {}), keyInvalid);
  assert.throws(() => new Sealer({ compression, publicKey: keys.privateKey }, () => {}), keyInvalid);
  assert.throws(() => new Unsealer({ privateKey: keys.publicKey }, () => {}), keyInvalid);
  assert.throws(() => new Sealer({ compression: { algorithm: 'zstd', level: 99 } }, () => {}), { code: 'compression-level-invalid' });
});

test('timers and aborts get through while much is sealed and unsealed, as every few MiB the event loop turns', async () => {
  const plain = Buffer.alloc(mib, 'some text ');
  let turns = 0;
  const count = () => {
    turns += 1;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  const parts: Buffer[] = [];
  const sealer = new Sealer({ compression: { algorithm: 'snappy', level: 0 } }, (part) => void parts.push(Buffer.from(part)));
  for (let round = 0; round < 32; round++) {
    const pending = sealer.update(plain);
    if (pending) await pending;
  }
  await sealer.finish();
  assert.ok(turns >= 7, `${turns} turns while sealing`);

  turns = 0;
  await unsealBytes(Buffer.concat(parts), { compression: 'snappy' }, 32 * mib);
  assert.ok(turns >= 7, `${turns} turns while unsealing`);
  clearImmediate(turning);
});

test('memory stays where it is when much is sealed', async () => {
  const plain = randomBytes(mib);
  const sealMuch = async (mebibytes: number) => {
    const sealer = new Sealer({ compression: { algorithm: 'snappy', level: 0 }, publicKey: keys.publicKey }, () => {});
    for (let round = 0; round < mebibytes; round++) {
      const pending = sealer.update(plain);
      if (pending) await pending;
    }
    await sealer.finish();
  };
  await sealMuch(32);
  const rssBefore = process.memoryUsage.rss();
  await sealMuch(200);
  const grown = process.memoryUsage.rss() - rssBefore;
  assert.ok(grown < 64 * mib, `grew by ${Math.round(grown / mib)} MiB while sealing 200 MiB`);
});

function isCorrupt(error: unknown): boolean {
  return isOperatorError(error, 'object-corrupt');
}
