import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../../src/storage/drivers.ts';
import { sourceOfBytes, sourceOfFile } from '../../src/storage/object-source.ts';
import type { StorageOptions } from '../../src/storage/options.ts';

/** For store-crash.ts: puts the same few keys over and over, each time with other data and its digest as metadata, until killed. */
const [storage = '', spool = ''] = process.argv.slice(2);
const store = await openStore(JSON.parse(storage) as StorageOptions);
for (let round = 0; ; round++) {
  const bytes = Buffer.alloc(20_000 + (round % 7) * 30_000, `round ${round} of ${process.pid} `);
  const metadata = { digest: createHash('sha256').update(bytes).digest('hex') };
  const path = join(spool, `spooled-${process.pid}-${round}`);
  await using file = await open(path, 'wx');
  await file.writeFile(bytes);
  await Promise.all([
    store.put(`dir/streamed-${round % 3}`, sourceOfBytes(bytes), { metadata }),
    store.put(`dir/linked-${round % 3}`, sourceOfFile(path, bytes.length), { metadata }),
    store.put(`created/${process.pid}-${round}`, sourceOfBytes(bytes), { metadata, createOnly: true }),
  ]);
  if (round === 0) process.stdout.write('ready\n');
}
