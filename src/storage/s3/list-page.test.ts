import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListPage } from './list-page.ts';

const date = '2026-11-30T12:00:00.123Z';
const contents = (key: string, size: string | number = 5) =>
  `<Contents><Key>${key}</Key><LastModified>${date}</LastModified><ETag>&#34;abc&#34;</ETag><Size>${size}</Size><Owner><ID>x</ID></Owner></Contents>`;
const page = (inner: string) =>
  `<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</ListBucketResult>\n`;

test('keys, sizes and times of a page, and where the next one begins', () => {
  const tail = '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b==</NextContinuationToken>';
  const parsed = parseListPage(page(`<Name>b</Name>${contents('one')}\n${contents('two', 0)}${tail}`));
  assert.deepEqual(
    parsed?.objects.map(({ key, size }) => [key, size]),
    [
      ['one', 5],
      ['two', 0],
    ],
  );
  assert.equal(parsed?.objects[0]?.lastModified.toISOString(), date);
  assert.deepEqual([parsed?.isTruncated, parsed?.nextToken], [true, 'a&b==']);
});

test('a page without objects', () => {
  assert.deepEqual(parseListPage(page('<IsTruncated>false</IsTruncated>')), { objects: [], isTruncated: false, nextToken: undefined });
});

test('characters that XML escapes, and those that the store says it encoded', () => {
  const plain = parseListPage(page(`<IsTruncated>false</IsTruncated>${contents('a&lt;b&#x2f;&#233;+%20&amp;amp;')}`));
  assert.equal(plain?.objects[0]?.key, 'a<b/é+%20&amp;');
  const encoded = parseListPage(
    page(`<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${contents('a+b%2B%3Cc%F0%9F%90%98%01')}`),
  );
  assert.equal(encoded?.objects[0]?.key, 'a b+<c🐘\u0001');
});

test('what looks like the end of a page in a key is none', () => {
  const parsed = parseListPage(
    page(`${contents('IsTruncated')}${contents('&lt;IsTruncated&gt;true&lt;/IsTruncated&gt;')}<IsTruncated>false</IsTruncated>`),
  );
  assert.equal(parsed?.isTruncated, false);
  assert.equal(parsed?.objects.length, 2);
});

test('what is no page, or not all of one, is none', () => {
  const whole = page(`${contents('one')}${contents('two')}<IsTruncated>false</IsTruncated>`);
  for (let cut = 1; cut < whole.trimEnd().length; cut++) assert.equal(parseListPage(whole.slice(0, cut)), undefined, whole.slice(0, cut));
  for (const other of [
    '',
    '<html></html>',
    '<Error><Code>x</Code></Error>',
    page(''),
    page(`${contents('one', 'many')}<IsTruncated>false</IsTruncated>`),
  ])
    assert.equal(parseListPage(other), undefined, other);
});
