import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { majorOf, parseVersionNumber } from './versions.ts';

const versions: readonly (readonly [text: string, number: number, major: string])[] = [
  ['9.2', 90_200, '9.2'],
  ['9.6.5', 90_605, '9.6'],
  ['9.5alpha1', 90_500, '9.5'],
  ['9.6rc1', 90_600, '9.6'],
  ['10', 100_000, '10'],
  ['10.1', 100_001, '10'],
  ['10devel', 100_000, '10'],
  ['15.18 (Debian 15.18-0+deb12u1)', 150_018, '15'],
  ['16beta2', 160_000, '16'],
  ['18rc1', 180_000, '18'],
  ['18.4\n', 180_004, '18'],
  ['12.22 (Ubuntu 12.22-0ubuntu0.20.04.4)', 120_022, '12'],
  ['15.4, EnterpriseDB', 150_004, '15'],
];

for (const [text, number, major] of versions) {
  test(`${JSON.stringify(text)} is ${number}, of ${major}`, () => {
    assert.equal(parseVersionNumber(text), number);
    assert.equal(majorOf(number), major);
  });
}

for (const text of ['', 'x', 'v15', '15.x', '9.6.5.4', '15gamma', '-15', '15.']) {
  test(`not a version: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseVersionNumber(text),
      (error) => isOperatorError(error, 'version-invalid'),
    );
  });
}
