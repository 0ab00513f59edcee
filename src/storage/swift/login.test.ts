import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutSecrets } from './login.ts';

test('no secret in an address gets into a message', () => {
  for (const [address, shown] of [
    ['http://user:secret@host:8080/auth/v1.0?token=secret#secret', 'http://host:8080/auth/v1.0'],
    ['https://host/v3', 'https://host/v3'],
  ] as const)
    assert.equal(withoutSecrets(address), shown);
});
