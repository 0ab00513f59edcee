import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { withoutWrappers } from '../lib/option-group.ts';
import { checkConfigText } from './check.ts';
import { packageFile, referenceFiles } from './reference.ts';
import { fileOptions } from './schema.ts';

for (const [path, render] of Object.entries(referenceFiles)) {
  test(`${path} tells what the options say; otherwise run: node src/config/reference.ts`, () => {
    assert.equal(readFileSync(packageFile(path), 'utf8'), render());
  });
}

test('every example in docs/config.md is a configuration without problems and warnings', () => {
  const examples = [...readFileSync(packageFile('docs/config.md'), 'utf8').matchAll(/```json\n(?<json>[^]*?)```/g)];
  assert.equal(examples.length, 2);
  for (const { groups } of examples) {
    const check = checkConfigText('example', Buffer.from(groups?.json ?? ''), false);
    assert.deepEqual(check.result().warnings, []);
  }
});

test('every option is described', () => {
  const undescribed: string[] = [];
  walk(fileOptions, '', (path, option) => {
    if (z.globalRegistry.get(option)?.description === undefined) undescribed.push(path);
  });
  assert.deepEqual(undescribed, []);
});

function walk(group: z.core.$ZodType, path: string, visit: (path: string, option: z.core.$ZodType) => void): void {
  const inner = withoutWrappers(group);
  if (inner instanceof z.ZodObject) {
    for (const [key, option] of Object.entries(inner.shape)) {
      // What is free to hold anything ends here.
      if (key !== 'type' || path !== '.backup_sites.*.object_storage.credentials') visit(`${path}.${key}`, option);
      walk(option, `${path}.${key}`, visit);
    }
  }
  if (inner instanceof z.ZodRecord) walk(inner.valueType, `${path}.*`, visit);
  if (inner instanceof z.ZodDiscriminatedUnion) for (const option of inner.options) walk(option, path, visit);
}
