import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CommandName, runOurs } from '../../../test/support/commands.ts';
import { packageRoot } from '../../../test/support/package-root.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { runProgram } from '../../lib/subprocess.ts';
import { manualFiles } from './manual.ts';
import { markdownToRoff } from './markdown-to-roff.ts';

const edition = { version: '3.0.0', date: new Date('2026-11-30T12:00:00Z') };
const files = await manualFiles(edition);
const { bin } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { bin: Record<string, string> };
const aliases = [...files].filter(([, text]) => text.startsWith('.so '));
const pages = [...files].filter(([path, text]) => path.startsWith('man/') && !text.startsWith('.so '));
let scratch: TemporaryDirectory;

before(async () => {
  scratch = await makeTemporaryDirectory();
  for (const [path, text] of files) {
    await mkdir(dirname(join(scratch.path, path)), { recursive: true });
    await writeFile(join(scratch.path, path), text);
  }
});
after(() => scratch[Symbol.asyncDispose]());

test('every command has a page and completions, sub-commands a way to their page', () => {
  const paths = [...files.keys()];
  for (const command of Object.keys(bin)) {
    for (const path of [`man/man1/${command}.1`, `bash-completion/completions/${command}`, `fish/vendor_completions.d/${command}.fish`]) {
      assert(paths.includes(path), path);
    }
  }
  assert(paths.includes('man/man1/pghoard-check.1') && paths.includes('man/man1/pghoard_restore-get-basebackup.1'));
  for (const [path, text] of aliases) assert(paths.includes(`man/${text.slice(4).trim()}`), `${path} leads nowhere`);
});

for (const [path] of pages) {
  test(`${path} is set without a complaint`, async () => {
    const file = join(scratch.path, path);
    const lint = await runProgram('mandoc', ['-Tlint', '-Wwarning', file]);
    assert.deepEqual([lint.code, lint.stdout, lint.stderr], [0, '', '']);
    const groff = await runProgram('groff', ['-ww', '-z', '-k', '-man', '-Tutf8', file]);
    assert.deepEqual([groff.code, groff.stdout, groff.stderr], [0, '', '']);
  });
}

/** The options that the program itself tells, against those in its page as it is shown. */
for (const [command, args] of [
  ['pghoard', []],
  ['pghoard', ['check']],
  ['restore', []],
  ['restore', ['list-basebackups']],
  ['restore', ['list-basebackups-http']],
  ['restore', ['get-basebackup']],
  ['restore', ['plan']],
  ['archive-sync', []],
  ['archive-cleanup', []],
  ['create-keys', []],
  ['postgres-command', []],
] satisfies [CommandName, string[]][]) {
  test(`what ${[command, ...args].join(' ')} --help lists stands in its page`, async () => {
    const name = command === 'pghoard' ? command : `pghoard_${command.replaceAll('-', '_')}`;
    const { stdout: help } = await runOurs(command, [...args, '--help'], { env: {} });
    const shown = await show(`man/man1/${name}.1`);
    const flags = [...help.matchAll(/^ +(?:-[a-zA-Z], )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
    const part = args.length === 0 ? shown : shown.slice(shown.indexOf(`   ${[name, ...args].join(' ')}\n`));
    assert.deepEqual(
      flags.filter((flag) => !new RegExp(`^ {7}(-[a-zA-Z], )?${flag}\\b`, 'm').test(part)),
      [],
    );
    assert(flags.length >= 2);
  });
}

test('the page of the configuration tells every key of docs/config.md', async () => {
  const shown = await show('man/man5/pghoard.json.5');
  const reference = readFileSync(join(packageRoot, 'docs/config.md'), 'utf8');
  const keys = [...reference.matchAll(/^\| `(?<key>[^`]+)` \|/gm)].map(([, key]) => key ?? '');
  assert(keys.length > 100);
  assert.deepEqual(
    keys.filter((key) => !shown.includes(`\n       ${key} (`)),
    [],
  );
});

test('Markdown becomes roff in which nothing is taken for a request', () => {
  assert.equal(
    markdownToRoff(
      "## A `b`\n\n.dot *it* and [a page](x.md) - c\\d\n\n- one\n  more\n- `two`\n\n```sh\n.x 'y'\n\nz\n```\n\n| Key | Type | Default | |\n|---|---|---|---|\n| `k` | a \\| b | `1` | Text. |",
    ),
    [
      '.SH "A B"',
      '.PP\n\\&.dot \\fIit\\fR and a page \\- c\\(rsd',
      '.IP \\(bu 2\none more\n.IP \\(bu 2\n\\fBtwo\\fR',
      '.PP\n.nf\n.RS 4\n\\&.x \\(aqy\\(aq\n\nz\n.RE\n.fi',
      '.TP\n\\fBk\\fR (\\fIa | b\\fR, default 1)\nText.',
    ].join('\n'),
  );
});

async function show(path: string): Promise<string> {
  const { code, stdout } = await runProgram('mandoc', ['-Tutf8', '-O', 'width=400', join(scratch.path, path)]);
  assert.equal(code, 0);
  return stdout.replaceAll(new RegExp('.\b', 'g'), '');
}
