import { after } from 'node:test';
import { Sshd } from '../../support/services/sshd.ts';
import { testEndToEnd } from '../../support/store-end-to-end.ts';

const sshd = await Sshd.start();
after(() => sshd[Symbol.asyncDispose]());

testEndToEnd('sftp', async () => sshd.storage({ prefix: '/a/prefix' }));
