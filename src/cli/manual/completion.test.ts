import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { packageRoot } from '../../../test/support/package-root.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { runProgram } from '../../lib/subprocess.ts';
import { manualFiles } from './manual.ts';

let scratch: TemporaryDirectory;
const share = (path: string) => join(scratch.path, 'share', path);

before(async () => {
  scratch = await makeTemporaryDirectory();
  for (const [path, text] of await manualFiles({ version: '3.0.0', date: new Date(0) })) {
    await mkdir(dirname(share(path)), { recursive: true });
    await writeFile(share(path), text);
  }
  await mkdir(join(scratch.path, 'files/a directory'), { recursive: true });
  await writeFile(join(scratch.path, 'files/a.json'), '{}');
  await symlink(join(packageRoot, 'bin'), join(scratch.path, 'bin'));
});
after(() => scratch[Symbol.asyncDispose]());

/** A command line up to where Tab is pressed, and what is offered in every shell. */
const cases: readonly { typed: string; offers: readonly string[] }[] = [
  { typed: 'pghoard chec', offers: ['check'] },
  { typed: 'pghoard check --js', offers: ['--json'] },
  { typed: 'pghoard --sho', offers: ['--short-log'] },
  { typed: 'pghoard_restore get-', offers: ['get-basebackup'] },
  {
    typed: 'pghoard_restore --site main get-basebackup --recovery-target-t',
    offers: ['--recovery-target-time', '--recovery-target-timeline'],
  },
  { typed: 'pghoard_restore get-basebackup --recovery-target-action p', offers: ['pause', 'promote'] },
  { typed: 'pghoard_restore get-basebackup --target-dir FILES/a', offers: ['a directory'] },
  { typed: 'pghoard_archive_cleanup --config FILES/a', offers: ['a directory', 'a.json'] },
  { typed: 'pghoard FILES/a.', offers: ['a.json'] },
  { typed: 'pghoard_postgres_command --mode ', offers: ['archive', 'restore'] },
  { typed: 'pghoard_archive_sync --max-hash-checks ', offers: [] },
  { typed: 'pghoard_create_keys --bi', offers: ['--bits'] },
];

suite('bash', () => {
  for (const { typed, offers } of cases) {
    test(typed, async () => {
      const words = onLine(typed).split(' ');
      const script = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pghoard; printf "%s\\n" "${COMPREPLY[@]}"';
      const file = share(`bash-completion/completions/${words[0]}`);
      assert.deepEqual(lines(await output('bash', ['--norc', '-c', script, 'bash', file, ...words])), offers);
    });
  }

  test('--option=value comes as three words', async () => {
    const script = '. "$1"; COMP_WORDS=(pghoard_postgres_command --mode = r); COMP_CWORD=3; _pghoard; printf "%s\\n" "${COMPREPLY[@]}"';
    assert.equal(await output('bash', ['--norc', '-c', script, 'bash', share('bash-completion/completions/pghoard')]), 'restore\n');
  });
});

suite('fish', () => {
  for (const { typed, offers } of cases) {
    test(typed, async () => {
      const script = `set fish_complete_path ${share('fish/vendor_completions.d')}; complete -C ${quoted(onLine(typed))}`;
      assert.deepEqual(lines(await output('fish', ['--no-config', '-c', script])), offers);
    });
  }
});

test('zsh', async () => {
  const found = await zshOffers(cases.map(({ typed }) => onLine(typed)));
  for (const [index, { typed, offers }] of cases.entries()) assert.deepEqual(lines(found[index] ?? ''), offers, typed);
});

/** What completion offers in an interactive zsh: `compadd`, which every completion function ends in, tells what matches instead of showing it. */
async function zshOffers(typed: readonly string[]): Promise<string[]> {
  const inside = join(scratch.path, 'inside.zsh');
  await writeFile(
    inside,
    `PS1= fpath=(${share('zsh/site-functions')} $fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' completer _complete
compadd() {
  if (( \${@[(I)-[ADO]]} )); then builtin compadd "$@"; return; fi # only asks what would match
  local -a matches
  builtin compadd -O matches "$@"
  print -rl -- $matches >> ${scratch.path}/offers
  builtin compadd "$@"
}
show() { : > ${scratch.path}/offers; zle complete-word; print END >> ${scratch.path}/offers; BUFFER=; print -n DONE; }
zle -N show
bindkey '^I' show
`,
  );
  const outside = `zmodload zsh/zpty; zpty z "TERM=dumb zsh -fi"; zpty -w z ${quoted(`. ${inside}; print READ''Y`)}; zpty -r z seen '*READY*'
for line in "$@"; do zpty -w -n z "$line"$'\\t'; zpty -r z seen '*DONE*'; cat ${scratch.path}/offers; done; zpty -d z`;
  const all = await output('zsh', ['-fc', outside, 'zsh', ...typed]);
  return all.split('END\n').slice(0, -1);
}

function onLine(typed: string): string {
  return typed.replace('FILES', join(scratch.path, 'files'));
}

/** Names alone, in order: fish tells what they mean after a tab, and shells differ in how they write a directory. */
function lines(text: string): string[] {
  const names = text.split('\n').map((line) => (line.split('\t')[0] ?? '').replace(/\/$/, '').replaceAll('\\', '').replace(/^.*\//, ''));
  return [...new Set(names.filter((name) => name !== ''))].toSorted();
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, HOME: scratch.path, PATH: `${scratch.path}/bin:/usr/bin:/bin`, LC_ALL: 'C.UTF-8' };
  const { code, stdout, stderr } = await runProgram(program, args, { env, cwd: scratch.path, signal: AbortSignal.timeout(60_000) });
  assert.equal(stderr, '', `${program} told on standard error`);
  assert.notEqual(code, null);
  return stdout;
}
