import { after, test } from 'node:test';
import { Sshd } from '../../../test/support/services/sshd.ts';
import { objectStoreContract } from '../contract.ts';
import type { ObjectStore } from '../object-store.ts';
import { SftpStore } from './driver.ts';

const openssh = await Sshd.start();
/** A server that knows the protocol only, not what OpenSSH has added. */
const plain = await Sshd.start({ refuses: ['posix-rename', 'hardlink', 'fsync', 'statvfs', 'limits'] });
after(async () => {
  await openssh[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

let directories = 0;

async function holdsIn(store: ObjectStore, holds: (store: ObjectStore) => Promise<void>): Promise<void> {
  try {
    await holds(store);
  } finally {
    await store.close();
  }
}

for (const { fact, holds } of objectStoreContract) {
  const directory = () => `fresh/${directories++}`;
  test(`sftp: ${fact}`, () => holdsIn(new SftpStore({ storage: openssh.storage(), directory: directory(), namesHeldMax: 3 }), holds));
  test(`sftp without extensions: ${fact}`, () => holdsIn(new SftpStore({ storage: plain.storage(), directory: directory() }), holds));
}
