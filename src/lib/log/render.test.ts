import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogRecord } from './record.ts';
import { renderers } from './render.ts';

const time = new Date('2026-11-30T14:55:50.192Z');
const plain: LogRecord = { time, level: 'INFO', message: 'base backup is complete', fields: { site: 'main', bytes: 17n, none: undefined } };
const explained: LogRecord = {
  time,
  level: 'WARNING',
  message: 'cannot store x\n  because: no route\n  hint: Ask the network.',
  fields: { site: 'a b', said: 'he "said" it', list: ['x', 'y'], empty: '', zero: 0, gone: null, time },
};
const hostile: LogRecord = {
  time,
  level: 'ERROR',
  message: 'bad\r\n2026-11-30T14:55:50.192Z INFO    all is well\u001b[2K',
  fields: { name: 'x\ny', time: 'never' },
};

test('text has the time, and reasons on lines of their own that nobody can take for a message', () => {
  assert.equal(renderers.text(plain), '2026-11-30T14:55:50.192Z INFO    base backup is complete site=main bytes=17');
  assert.equal(
    renderers.text(explained),
    [
      String.raw`2026-11-30T14:55:50.192Z WARNING cannot store x site="a b" said="he \"said\" it" list="[\"x\",\"y\"]" empty="" zero=0 gone=null time=2026-11-30T14:55:50.192Z`,
      '  because: no route',
      '  hint: Ask the network.',
    ].join('\n'),
  );
  assert.equal(
    renderers.text(hostile),
    [
      String.raw`2026-11-30T14:55:50.192Z ERROR   bad\r name="x\ny" time=never`,
      String.raw`  2026-11-30T14:55:50.192Z INFO    all is well\u001b[2K`,
    ].join('\n'),
  );
});

test('short is one line: the level, a tab, the message, as parsers of the original read it', () => {
  assert.equal(renderers.short(plain), 'INFO\tbase backup is complete site=main bytes=17');
  assert.match(renderers.short(explained), /^WARNING\tcannot store x; because: no route; hint: Ask the network\. site="a b"/);
  assert.doesNotMatch(renderers.short(hostile), /\p{Cc}(?<!\t)/u);
  assert.equal(renderers.bare(plain), 'INFO: base backup is complete site=main bytes=17');
});

test('json is one object, in which no field takes the place of the time, the level or the message', () => {
  assert.deepEqual(JSON.parse(renderers.json(plain)), {
    time: '2026-11-30T14:55:50.192Z',
    level: 'INFO',
    message: 'base backup is complete',
    site: 'main',
    bytes: '17',
  });
  const { message, fields } = hostile;
  assert.deepEqual(JSON.parse(renderers.json(hostile)), { ...fields, time: '2026-11-30T14:55:50.192Z', level: 'ERROR', message });
  assert.doesNotMatch(renderers.json(explained), /\n/);
});
