import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSidecar, metadataFrom, parseSidecar } from './sidecar.ts';

/** Byte for byte as Python wrote it (fixture c, a chunk). */
const fromPython =
  '{"compression-algorithm": "zstd", "encryption-key-id": "key-main-c", "format": "pghoard-bb-v2", "original-file-size": "1495040", "host": "vm", "Content-Length": "64686", "_hash": "da87b5dfec9d374a66cda6483db0d5ffc5317b1bffd32ca52fe7334977842a20"}';

test('writes what Python wrote, byte for byte', () => {
  const metadata = parseSidecar(fromPython);
  assert.equal(formatSidecar(metadata, 'da87b5dfec9d374a66cda6483db0d5ffc5317b1bffd32ca52fe7334977842a20'), fromPython);
});

test('the hash entry is not part of the metadata', () => {
  assert.deepEqual(parseSidecar('{"a": "b", "_hash": "00"}'), { a: 'b' });
});

test('non-ASCII is escaped as json.dumps does, control characters too', () => {
  assert.equal(formatSidecar({ host: 'zürich-🐘\n"' }), String.raw`{"host": "z\u00fcrich-\ud83d\udc18\n\""}`);
  assert.equal(formatSidecar({}), '{}');
});

test('values that are not text become what Python makes of them', () => {
  assert.deepEqual(parseSidecar('{"n": 150020, "t": true, "f": false, "z": null, "e": ""}'), { n: '150020', t: 'True', f: 'False', e: '' });
});

for (const garbage of ['', '{', 'null', '[]', '"text"', '{"a": {}}', '{"a": ["b"]}', '\0\0\0']) {
  test(`garbage is refused: ${JSON.stringify(garbage)}`, () => {
    assert.throws(() => metadataFrom('/store/x.metadata', garbage), {
      code: 'store-failed',
      retryable: false,
      message: /\/store\/x\.metadata/,
    });
  });
}

test('a name like __proto__ is only a name', () => {
  const parsed = parseSidecar('{"__proto__": "x"}');
  assert.equal(Object.getPrototypeOf(parsed), Object.prototype);
  assert.deepEqual(Object.keys(parsed), ['__proto__']);
});
