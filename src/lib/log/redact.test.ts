import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactor } from './redact.ts';

const pem = '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n';

test('a secret is blotted out of the message and of fields, however deep', () => {
  const redacted = redactor(['hunter2-hunter2', 'hunter2', pem]);
  const time = new Date();
  assert.deepEqual(
    redacted({
      time,
      level: 'INFO',
      message: `login as me:hunter2-hunter2 or hunter2 failed`,
      fields: { n: 1n, at: time, url: 'x?p=hunter2', deep: { list: ['hunter2', 7, null] }, key: `"${pem.replaceAll('\n', '\\n')}"` },
    }),
    {
      time,
      level: 'INFO',
      message: 'login as me:*** or *** failed',
      fields: {
        n: 1n,
        at: time,
        url: 'x?p=***',
        deep: { list: ['***', 7, null] },
        key: '"-----BEGIN PRIVATE KEY-----\\n***\\n***\\n-----END PRIVATE KEY-----\\n"',
      },
    },
  );
});

test('what is too short to be told from other words stays', () => {
  const record = { time: new Date(), level: 'INFO', message: 'main timeline', fields: {} } as const;
  assert.equal(redactor(['main', 'time', ''])(record), record);
});
