import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';

const module = new URL(`root-log.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url).href;

/** A process that logs to `standardError` as `script` has it, with the log at hand as `log`. */
function logging(script: string, standardError: number | 'pipe', env: NodeJS.ProcessEnv = {}) {
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval'];
  const text = `import { createLog } from ${JSON.stringify(module)}; ${script}`;
  return spawn(process.execPath, [...flags, text], { stdio: ['pipe', 'pipe', standardError], env: { ...process.env, ...env } });
}

/** What comes to a file that is standard error. */
async function logged(script: string, envOf: (stream: string) => NodeJS.ProcessEnv = () => ({})): Promise<string[]> {
  await using scratch = await makeTemporaryDirectory();
  const path = join(scratch.path, 'log');
  const file = openSync(path, 'w');
  const { dev, ino } = fstatSync(file);
  const child = logging(script, file, envOf(`${dev}:${ino}`));
  closeSync(file);
  const [code] = (await once(child, 'exit')) as [number | null];
  const text = readFileSync(path, 'utf8');
  assert.equal(code, 0, text);
  return text.trimEnd().split('\n');
}

const two = `log.info({ site: 'main' }, 'done'); log.error({}, 'not done\\n  because: x');`;

test('levels, formats and secrets change while it runs, but for what the command line said', async () => {
  const script = `
    const log = createLog();
    log.debug({}, 'not shown');
    log.configure({ level: 'DEBUG', format: 'short', secrets: ['hunter2'] });
    log.child({ site: 'main', user: 'ann' }).debug({ user: 'bob' }, 'password hunter2');
    log.configure({ level: 'ERROR', format: 'json' });
    log.warn({}, 'not shown');
    log.error({ n: 1 }, 'password hunter2');
    const fixed = createLog({ level: 'WARNING', format: 'short' });
    fixed.configure({ level: 'DEBUG', format: 'json' });
    fixed.info({}, 'not shown');
    fixed.warn({}, 'shown');`;
  const [short, json, fixed, ...more] = await logged(script);
  assert.equal(short, 'DEBUG\tpassword *** site=main user=bob');
  const { time, ...rest } = JSON.parse(json ?? '') as { time: string };
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assert.deepEqual([rest, fixed, more], [{ level: 'ERROR', message: 'password hunter2', n: 1 }, 'WARNING\tshown', []]);
});

test('the journal gets the priority of each line, in any format, and no other place does', async () => {
  const underSystemd = (stream: string) => ({ JOURNAL_STREAM: stream });
  const script = `const log = createLog(); ${two} log.configure({ level: 'INFO', format: 'text' }); ${two} log.configure({ level: 'INFO', format: 'json' }); ${two}`;
  const withoutTimes = (lines: string[]) => lines.map((line) => line.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME'));
  assert.deepEqual(withoutTimes(await logged(script, underSystemd)), [
    '<6>INFO: done site=main',
    '<3>ERROR: not done; because: x',
    '<6>TIME INFO    done site=main',
    '<3>TIME ERROR   not done',
    '<3>  because: x',
    '<6>{"time":"TIME","level":"INFO","message":"done","site":"main"}',
    String.raw`<3>{"time":"TIME","level":"ERROR","message":"not done\n  because: x"}`,
  ]);
  const elsewhere = ['TIME INFO    done site=main', 'TIME ERROR   not done', '  because: x'];
  for (const JOURNAL_STREAM of ['8:1', 'x', ''])
    assert.deepEqual(withoutTimes(await logged(`const log = createLog(); ${two}`, () => ({ JOURNAL_STREAM }))), elsewhere);
});

test('a full disk under the log, or nobody who reads it, does not end the process', async () => {
  const script = `const log = createLog(); for (let n = 0; n < 5; n++) log.info({ n }, 'lost'); console.log('alive');`;
  const full = openSync('/dev/full', 'w');
  const child = logging(script, full);
  closeSync(full);
  const piped = logging(`process.stdin.once('data', () => { ${script} process.exit(); })`, 'pipe');
  piped.stderr?.destroy();
  piped.stdin?.write('go');
  const ends = [child, piped].map(async (process) => {
    let said = '';
    process.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(process, 'close')) as [number | null];
    return [code, said];
  });
  assert.deepEqual(await Promise.all(ends), [
    [0, 'alive\n'],
    [0, 'alive\n'],
  ]);
});

test('a reader that lags behind costs lines, which are counted, and hardly any time', async () => {
  // Node makes a pipe non-blocking as soon as process.stderr is touched.
  const script = `
    process.stderr.write('');
    const log = createLog();
    const begun = performance.now();
    for (let n = 1; n <= 2_000; n++) log.info({ n }, 'x'.repeat(100));
    console.log(performance.now() - begun < 2_000 ? 'quick' : 'slow');
    process.stdin.once('data', () => { log.info({}, 'the last'); process.exit(); });`;
  const child = logging(script, 'pipe');
  const [quick] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child.stderr ?? child, 'data');
  child.stdin?.write('go');
  await once(child, 'close');
  const arrived = text.match(/ n=\d+$/gm)?.length ?? 0;
  assert.match(text, new RegExp(`the last\\n.*WARNING .* are lost lines=${2_000 - arrived}\\n$`));
  assert.deepEqual([String(quick), arrived < 2_000], ['quick\n', true]);
});
