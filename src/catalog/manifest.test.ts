import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { parseManifest } from './manifest.ts';
import { ManifestCondenser } from './manifest-condenser.ts';

function condense(text: string, pieceBytes: number): string {
  const condenser = new ManifestCondenser();
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += pieceBytes) condenser.update(bytes.subarray(i, i + pieceBytes));
  return condenser.finish();
}

const condensed: [json: string, shorter: string][] = [
  ['{"files":["a","b"],"x":1}', '{"files":2,"x":1}'],
  ['{"files" : [ ], "y":["a"]}', '{"files" : 0, "y":["a"]}'],
  ['{"files":["]","\\"[",["deep"],"ü"]}', '{"files":3}'],
  ['{"a":"files","b":["kept"]}', '{"a":"files","b":["kept"]}'],
  ['{"a":"files\\":[","b":2}', '{"a":"files\\":[","b":2}'],
  ['["files",["kept"]]', '["files",["kept"]]'],
  ['{"files":7,"b":[1]}', '{"files":7,"b":[1]}'],
  ['{"hashes":{"aa":{"size":1},"bb":2},"files":["x"]}', '{"hashes":2,"files":1}'],
];
for (const [json, shorter] of condensed) {
  test(`${json} is condensed to ${shorter}, however it is cut`, () => {
    for (const pieceBytes of [1, 2, 3, 7, 1000]) assert.equal(condense(json, pieceBytes), shorter);
  });
}

test('a manifest as the original writes it', () => {
  const chunks = [{ chunk_filename: 'b/b.00000001.pghoard', input_size: 20480, result_size: 1000, files: ['pgdata/base/1/3608'] }];
  const text = JSON.stringify({
    pgdata: '/x',
    tablespaces: { ts: { path: '/ts', oid: 16395 } },
    chunks,
    delta_stats: { hashes: { aa: 1 } },
  });
  assert.deepEqual(parseManifest(condense(text, 10)), {
    tablespaces: { ts: { path: '/ts', oid: 16395 } },
    chunks: [{ chunk_filename: 'b/b.00000001.pghoard', input_size: 20480, result_size: 1000, files: 1 }],
  });
});

const bad = [
  '',
  '[]',
  '{"chunks":[{"chunk_filename":"../x/y","result_size":1}]}',
  '{"chunks":[{"chunk_filename":"x","result_size":1}]}',
  '{"chunks":[{"chunk_filename":"a/b","result_size":-1}]}',
  '{"tablespaces":{"x":{"oid":"16","path":"/x"}}}',
];
for (const text of bad) {
  test(`the manifest ${text || '(empty)'} is refused`, () => {
    assert.throws(
      () => parseManifest(text),
      (error) => isOperatorError(error, 'manifest-invalid'),
    );
  });
}
