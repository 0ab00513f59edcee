import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManifestLists } from './manifest-lists.ts';

const json = `{ "chunks": [{"files": ["a", "b"]}], "files": ["top"], "hashes": "no list",
  "manifest": {"x": {"files": [9]}, "state": {"files": [ {"path": "a ] , \\" }{", "n": [1, {"files": [2]}]} , {"path": "b"}], "empty_dirs": ["." ,"b[ase",
  "c,\\\\"], "none": []}, "files": 2, "hashes": [null, true, 3]}}`;

function listsIn(text: Buffer, pieceBytes: number): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {};
  const names = ['manifest.state.files', 'manifest.state.empty_dirs', 'manifest.state.none', 'manifest.hashes', 'hashes', 'files'];
  const reader = new ManifestLists(
    Object.fromEntries(
      names.map((name) => {
        const items: unknown[] = [];
        found[name] = items;
        return [name, (item: unknown) => void items.push(item)];
      }),
    ),
  );
  for (let at = 0; at < text.length; at += pieceBytes) reader.update(text.subarray(at, at + pieceBytes));
  reader.finish();
  return found;
}

test('finds the items of the named lists and of no others, wherever the text is cut', () => {
  for (const pieceBytes of [1, 2, 3, 7, 1000]) {
    assert.deepEqual(listsIn(Buffer.from(json), pieceBytes), {
      'manifest.state.files': [{ path: 'a ] , " }{', n: [1, { files: [2] }] }, { path: 'b' }],
      'manifest.state.empty_dirs': ['.', 'b[ase', 'c,\\'],
      'manifest.state.none': [],
      'manifest.hashes': [null, true, 3],
      hashes: [],
      files: ['top'],
    });
  }
});

test('text in several bytes per character survives every cut', () => {
  const names = ['größe', '日本', '𝄞'];
  for (const pieceBytes of [1, 2, 3]) {
    assert.deepEqual(listsIn(Buffer.from(JSON.stringify({ files: names })), pieceBytes)['files'], names);
  }
});

test('what is cut off, damaged or endless is refused', () => {
  const whole = Buffer.from(json);
  for (const length of [1, 40, whole.length - 30, whole.length - 1]) {
    assert.throws(() => listsIn(whole.subarray(0, length), 16), { code: 'manifest-invalid' }, `${length} bytes`);
  }
  for (const text of ['{"files":[}]}', '{"files":[1 2]}', ']', '{"files":["a" "b"]}']) {
    assert.throws(() => listsIn(Buffer.from(text), 16), { code: 'manifest-invalid' }, text);
  }
  const reader = new ManifestLists({ files: () => {} });
  reader.update(Buffer.from('{"files":["'));
  assert.throws(() => {
    for (let i = 0; i < 64; i++) reader.update(Buffer.alloc(64 * 1024, 0x61));
  }, /too long/);
});
