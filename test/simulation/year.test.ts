import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '../support/seeded-random.ts';

const program = fileURLToPath(new URL('year.js', import.meta.url));
/** Nothing of a year has to outlast it. */
const directory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** The first two weeks of the same years each time; whole years, of seeds that are drawn, take longer. */
const {
  PGHOARD_TEST_SEED: wanted,
  PGHOARD_TEST_YEARS: years = '0',
  PGHOARD_TEST_DAYS: days = wanted === undefined && years === '0' ? '14' : '365',
} = process.env;
const drawn = Array.from({ length: Number(years) }, () => new SeededRandom(Math.floor(Math.random() * 2 ** 32)).seed);
const seeds = wanted === undefined ? (drawn.length === 0 ? [21, 8] : drawn) : [new SeededRandom().seed];
const daysAgain = 5;

describe('a year of two sites, three servers each, and two daemons', { concurrency: 2 }, () => {
  const lives = new Map<number, Promise<Lived>>();
  const lifeOf = (seed: number) => {
    const life = lives.get(seed) ?? live(seed, days);
    lives.set(seed, life);
    return life;
  };

  for (const seed of seeds) {
    test(`whose seed is ${seed}`, async (t) => {
      const { code, output } = await lifeOf(seed);
      t.diagnostic(output.trim().split('\n').at(-1) ?? '');
      assert.equal(code, 0, `${output}\nSee it again with PGHOARD_TEST_SEED=${seed}, and all that was logged with PGHOARD_TEST_LOG=1.`);
    });
  }

  test('is the same each time, to the last word of its log', async () => {
    const [seed = 0] = seeds;
    const [one, other] = await Promise.all([lifeOf(seed), live(seed, String(daysAgain))]);
    const storyOf = ({ output }: Lived) => output.split('\n').find((line) => line.startsWith(`day ${daysAgain},`));
    assert.match(storyOf(one) ?? one.output, /story [0-9a-f]{16}$/);
    assert.equal(storyOf(other), storyOf(one));
  });
});

interface Lived {
  readonly code: number | null;
  readonly output: string;
}

/** A process of its own for each, as in life: time, files and chance are not what they are elsewhere. */
function live(seed: number, until: string): Promise<Lived> {
  const env = { ...process.env, TMPDIR: directory, PGHOARD_TEST_SEED: String(seed) };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['--enable-source-maps', program, until], { env, maxBuffer: 2 ** 28 }, (_, output, errors) =>
      resolve({ code: child.exitCode, output: output + errors }),
    );
  });
}
