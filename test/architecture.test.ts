import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dependenciesRule, type Rule, rules } from './architecture/rules.ts';
import { parseSource, readSources } from './architecture/source-file.ts';
import { packageRoot } from './support/package-root.ts';

const root = packageRoot;
const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as Record<string, Record<string, string> | undefined>;
const dependencies = ['dependencies', 'optionalDependencies'].flatMap((kind) => Object.keys(manifest[kind] ?? {}));
const sources = readSources(root, ['src', 'test', 'bench', 'scripts', 'web']);

for (const rule of [...rules, dependenciesRule(dependencies)]) {
  test(rule.name, () => assert.deepEqual(rule.broken(sources), [], `broken: "${rule.name}"`));
}

/** A rule that could never fail would say nothing: each one is shown sources that break it, and near misses that do not. */
const planted: readonly { rule: RegExp; path: string; breaks: readonly string[]; keeps: readonly string[] }[] = [
  {
    rule: /lower floors/,
    path: 'src/wal/archive.ts',
    breaks: [
      `import { takeBasebackup } from '../basebackup/basebackup.ts';`,
      `import type { Daemon } from '../daemon/daemon.ts';`,
      `import {\n  a,\n  b,\n} from '../restore/choose.ts';`,
      `export { main } from '../cli/main.ts';`,
      `const { run } = await import('../retention/prune.ts');`,
    ],
    keeps: [
      `import { seal } from '../codec/seal.ts';`,
      `import { fetch } from './fetch.ts';`,
      `// import { x } from '../restore/choose.ts';`,
    ],
  },
  { rule: /lower floors/, path: 'src/lib/retry.ts', breaks: [`import '../tar/header.ts';`], keeps: [`import './clock.ts';`] },
  { rule: /lower floors/, path: 'src/tar/reader.ts', breaks: [`import { x } from '../codec/job.ts';`], keeps: [`import '../lib/log.ts';`] },
  { rule: /a room of the plan/, path: 'src/utils/strings.ts', breaks: [''], keeps: [] },
  { rule: /only cli and daemon/, path: 'src/restore/a.ts', breaks: [`import '../config/load.ts';`], keeps: [`import './options.ts';`] },
  {
    rule: /config imports options/,
    path: 'src/config/a.ts',
    breaks: [`import '../wal/fetch.ts';`],
    keeps: [`import '../wal/options.ts';`],
  },
  {
    rule: /options.ts declares/,
    path: 'src/wal/options.ts',
    breaks: [`import '../codec/seal.ts';`],
    keeps: [`import '../lib/errors.ts';`],
  },
  { rule: /outside of src/, path: 'src/tar/a.ts', breaks: [`import '../../test/support/postgres.ts';`], keeps: [`import './b.ts';`] },
  {
    rule: /outside of src/,
    path: 'src/tar/a.test.ts',
    breaks: [`import '../../test/fault/b.ts';`, `import '../../bench/bench.ts';`],
    keeps: [`import '../../test/support/postgres.ts';`],
  },
  {
    rule: /nobody imports compiled/,
    path: 'test/a.test.ts',
    breaks: [`import '../dist/src/lib/log.js';`],
    keeps: [`import '../src/lib/log.ts';`],
  },
  { rule: /end in .ts/, path: 'src/lib/a.ts', breaks: [`import './log.js';`, `import './log';`], keeps: [`import './log.ts';`] },
  {
    rule: /one cloud/,
    path: 'src/storage/drivers.ts',
    breaks: [`import { S3Client } from '@aws-sdk/client-s3';`, `const sdk = await import('@aws-sdk/client-s3');`],
    keeps: [`import type { S3Client } from '@aws-sdk/client-s3';`],
  },
  {
    rule: /drivers of clouds/,
    path: 'src/storage/drivers.ts',
    breaks: [`import { openS3Store } from './s3/driver.ts';`],
    keeps: [`const driver = await import('./s3/driver.ts');`, `import './s3/options.ts';`],
  },
  {
    rule: /drivers of clouds/,
    path: 'src/storage/s3/driver.ts',
    breaks: [`import '../azure/driver.ts';`],
    keeps: [`import { S3Client } from '@aws-sdk/client-s3';`, `import './upload.ts';`],
  },
  {
    rule: /drivers of clouds/,
    path: 'src/storage/s3/options.ts',
    breaks: [`import '@aws-sdk/client-s3';`, `import './driver.ts';`],
    keeps: [`import '../common-options.ts';`],
  },
  {
    rule: /web imports web/,
    path: 'web/timeline/a.ts',
    breaks: [`import { x } from '../../src/daemon/http/api.ts';`, `import type { X } from '../../src/lib/clock.ts';`, `import 'node:fs';`],
    keeps: [`import type { X } from '../../src/daemon/http/api.ts';`, `import { h } from '../dom.ts';`],
  },
  { rule: /web imports web/, path: 'src/lib/a.ts', breaks: [`import '../../web/format.ts';`], keeps: [`import './b.ts';`] },
  { rule: /web makes no markup/, path: 'web/a.ts', breaks: ['x.innerHTML = y;'], keeps: ['x.textContent = y; // no innerHTML'] },
  {
    rule: /time comes/,
    path: 'src/retention/decide.ts',
    breaks: ['const now = Date.now();', 'const now = new Date();'],
    keeps: ['const then = new Date(value);', '/** Never Date.now() here. */'],
  },
  { rule: /chance comes/, path: 'src/wal/a.ts', breaks: ['const x = Math.random();'], keeps: ['// Math.random() is not for us'] },
  {
    rule: /dependencies in package/,
    path: 'src/lib/a.ts',
    breaks: [`import _ from 'lodash';`],
    keeps: [`import 'known/sub';`, `import 'node:fs';`],
  },
];

for (const { rule: name, path, breaks, keeps } of planted) {
  test(`what breaks "${name.source}" in ${path} is seen`, () => {
    const rule = ruleNamed(name);
    for (const text of breaks) assert.equal(rule.broken([parseSource(path, text)]).length, 1, `not seen: ${text}`);
    for (const text of keeps) assert.deepEqual(rule.broken([parseSource(path, text)]), [], `wrongly seen: ${text}`);
  });
}

test('a circle of imports is seen, and named with all its files', () => {
  const circle = [
    parseSource('src/tar/a.ts', `import './b.ts';`),
    parseSource('src/tar/b.ts', `import type { C } from './c.ts';`),
    parseSource('src/tar/c.ts', `import './a.ts';`),
    parseSource('src/tar/d.ts', `import './a.ts';`),
  ];
  assert.deepEqual(ruleNamed(/circle/).broken(circle), ['src/tar/a.ts → src/tar/b.ts → src/tar/c.ts → src/tar/a.ts']);
});

function ruleNamed(name: RegExp): Rule {
  const rule = [...rules, dependenciesRule(['known'])].find((candidate) => name.test(candidate.name));
  assert(rule, `no rule is named like ${name}`);
  return rule;
}
