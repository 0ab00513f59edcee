import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonSyntaxError, parseJson, positionOf } from './json.ts';

const valid: readonly string[] = [
  '{}',
  '[]',
  ' [ ] ',
  'null',
  '"\\u00e4\\n\\"\\\\"',
  '-0.5e+10',
  '{"a": [1, {"b": true}], "c": "x"}',
  '[[[]], {"": 0}]',
  '{"__proto__": 1, "constructor": 2}',
  '"\u2028 é 💾"',
];

for (const text of valid) {
  test(`${text} is read as JSON.parse reads it`, () => assert.deepEqual(parseJson(text).value, JSON.parse(text)));
}

const invalid: readonly (readonly [text: string, line: number, column: number, message: RegExp])[] = [
  ['', 1, 1, /expected a value, found the end of the file/],
  ['{"a": 1,}', 1, 9, /expected a key in double quotes, found "}" \(there is a comma too many before it\)/],
  ['[1,]', 1, 4, /expected a value, found "]" \(there is a comma too many/],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /expected "," or "}" after a value, found "\\""/],
  ['{"a" 1}', 1, 6, /expected ":" after a key, found "1"/],
  ['{\n // comment\n "a": 1}', 2, 2, /found a comment, which JSON does not have/],
  ["{'a': 1}", 1, 2, /found a single quote; texts stand in double quotes/],
  ['{a: 1}', 1, 2, /expected a key in double quotes, found "a"/],
  ['{"a": True}', 1, 7, /expected a value, found "True"/],
  ['{"a": NaN}', 1, 7, /found "NaN"/],
  ['{"a": 01}', 1, 7, /found "01"/],
  ['{"a": +1}', 1, 7, /found "\+"/],
  ['{"a": "x}', 1, 7, /a text in double quotes does not end/],
  ['{"a": "x\ny"}', 1, 9, /contains a line break; write \\n/],
  ['{"a": "\\x"}', 1, 7, /a "\\" that is not followed by/],
  ['{"a": "\\u12"}', 1, 7, /a "\\" that is not followed by/],
  ['{} {}', 1, 4, /expected the end of the file, found "{"/],
  ['{"a": [1, 2}', 1, 12, /expected "," or "]" after a value, found "}"/],
  ['"abc\\', 1, 1, /does not end/],
  ['['.repeat(1000), 1, 102, /nested more than 100 deep/],
];

for (const [text, line, column, message] of invalid) {
  test(`${JSON.stringify(text.slice(0, 30))} is refused at line ${line}, column ${column}`, () => {
    assert.throws(
      () => parseJson(text),
      (error) => {
        assert.ok(error instanceof JsonSyntaxError);
        assert.match(error.message, message);
        assert.deepEqual([error.position.line, error.position.column], [line, column]);
        return true;
      },
    );
  });
}

test('a byte order mark is no part of the document', () => assert.deepEqual(parseJson('\uFEFF{"a": 1}').value, { a: 1 }));

test('it is known where each key and element stands; what is not there is where its object is', () => {
  const { positions } = parseJson('{\n  "a": {\n    "b": [1,\n 2]\n  }\n}');
  const lineAndColumn = (...path: (string | number)[]) => {
    const position = positionOf(positions, path);
    return position && [position.line, position.column];
  };
  assert.deepEqual(lineAndColumn('a'), [2, 3]);
  assert.deepEqual(lineAndColumn('a', 'b'), [3, 5]);
  assert.deepEqual(lineAndColumn('a', 'b', 1), [4, 2]);
  assert.deepEqual(lineAndColumn('a', 'missing', 'deeper'), [2, 3]);
  assert.equal(lineAndColumn('missing'), undefined);
});

test('repeated keys are told with the place of the repetition; the last value counts', () => {
  const { value, repeated } = parseJson('{"a": 1, "b": {"c": 1, "c": 2},\n"a": 3, "__proto__": 1, "__proto__": 2}');
  assert.deepEqual(
    repeated.map(({ path, position }) => [path, position.line]),
    [
      [['b', 'c'], 1],
      [['a'], 2],
      [['__proto__'], 2],
    ],
  );
  assert.equal((value as { a: number }).a, 3);
});
