import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isOperatorError, messageOf } from '../../src/lib/errors.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { formatLsn } from '../../src/postgres/lsn.ts';
import type { RecoveryTarget } from '../../src/restore/choose.ts';
import { planRefusalDocument, type RestorePlanDocument, restorePlanDocument } from '../../src/restore/plan/restore-plan-document.ts';
import { type RecoveryWishes, recoveryFiles } from '../../src/restore/recovery-settings.ts';
import { restoreCommandTo } from '../support/daemon.ts';
import { lastEntryOf, PlanLedger } from '../support/plan-ledger.ts';
import { TestPostgres } from '../support/postgres.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { waitFor } from '../support/wait-for.ts';

/** A long run: `PGHOARD_TEST_LEDGER_TARGETS=1000` */
const targets = Number(process.env['PGHOARD_TEST_LEDGER_TARGETS'] ?? 7);
const random = new SeededRandom();

describe(`what a plan promises is what a restore gives (seed ${random.seed})`, () => {
  let ledger: PlanLedger;
  /** By name. */
  const restored = new Map<string, Promise<string>>();
  const tally = { promised: 0, exact: 0, refused: 0 };

  before(async () => {
    ledger = await PlanLedger.start(targets > 50 ? 40 : 10);
  });
  after(async () => {
    await ledger?.[Symbol.asyncDispose]();
  });

  test(`${targets} targets`, async (context) => {
    for (let count = 1; count <= targets; count++) {
      if (count % 50 === 0) console.error(count, JSON.stringify(tally));
      const target = kinds[(count - 1) % kinds.length]?.() ?? assert.fail();
      const what = `${count}: ${inWords(target)}`;
      const recovery: RecoveryWishes = { target, targetAction: 'promote', timeline: 'latest', toPrimary: true };
      const plan = await planOrRefusal(recovery);
      if ('code' in plan) await hasToFail(recovery, `${what}, refused: ${plan.message}`);
      else await hasToKeep(plan, what);
    }
    context.diagnostic(JSON.stringify(tally));
  });

  test('the daemon tells the same over HTTP', async () => {
    const last = ledger.entries.at(-1) ?? assert.fail();
    const target: RecoveryTarget = { kind: 'xid', xid: last.xid, isExclusive: true };
    const here = await ledger.plan({ target, targetAction: 'promote', timeline: 'latest', toPrimary: true });
    const { daemon } = ledger.site;
    const isKnown = async () => (await daemon.request('GET', '/main/plan')).status === 200;
    await waitFor(isKnown, { withinMs: 60_000, what: () => `the daemon knows what can be restored:\n${daemon.log}` });
    const answer = await daemon.request('GET', `/main/plan?xid=${last.xid}&exclusive=1`);
    const there = restorePlanDocument.parse(await answer.json());
    assert.equal(answer.status, 200);
    for (const part of ['target', 'basebackup', 'timeline', 'wal', 'commits', 'fetch', 'settings', 'objects', 'command'] as const)
      assert.deepEqual(there[part], here[part], part);
    assert.equal(ledger.promised(there), last.number - 1);
    const early = await daemon.request('GET', '/main/plan?time=2020-01-01T00:00:00Z');
    const refusal = planRefusalDocument.parse(await early.json());
    assert.deepEqual([early.status, refusal.code], [409, 'target-before-basebackup']);
    assert.deepEqual([refusal.nearest?.before, refusal.nearest?.after?.basebackup], [null, ledger.basebackups[0]?.name]);
    const never = await daemon.request('GET', '/main/plan?name=never%20made');
    const missing = planRefusalDocument.parse(await never.json());
    assert.deepEqual([never.status, missing.code], [404, 'target-not-found']);
    assert.match(String(missing.hint), /There are .*'point 1'/);
  });

  /** Half of what is drawn lies where there is something to restore. */
  const kinds: readonly (() => RecoveryTarget)[] = [
    () => ({ kind: 'time', time: timeOf(between()), isExclusive: false }),
    () => ({ kind: 'xid', xid: entry().xid, isExclusive: random.next() < 0.5 }),
    () => ({ kind: 'lsn', lsn: entry().lsn, isExclusive: random.next() < 0.5 }),
    () => ({ kind: 'name', name: pick(ledger.points).name }),
    () => ({ kind: 'time', time: timeOf(entry().time), isExclusive: random.next() < 0.5 }),
    () => ({ kind: 'lsn', lsn: entry().lsn + BigInt(random.between(-2000, 2000)), isExclusive: random.next() < 0.5 }),
    () => (random.next() < 0.2 ? { kind: 'latest' } : random.next() < 0.5 ? { kind: 'name', name: 'never made' } : beyondAll()),
  ];

  function entry() {
    return pick(ledger.entries);
  }

  function pick<T>(all: readonly T[]): T {
    return all[random.between(0, all.length - 1)] ?? assert.fail();
  }

  function between(): number {
    const at = random.between(0, ledger.entries.length - 2);
    const [one, next] = [ledger.entries[at], ledger.entries[at + 1]];
    assert(one && next);
    return random.between(one.time, next.time);
  }

  function beyondAll(): RecoveryTarget {
    const last = ledger.entries.at(-1);
    assert(last);
    return random.next() < 0.5
      ? { kind: 'xid', xid: String(Number(last.xid) + 1000) }
      : { kind: 'lsn', lsn: last.lsn + BigInt(64 * 1024 * 1024) };
  }

  async function planOrRefusal(
    recovery: RecoveryWishes,
  ): Promise<RestorePlanDocument | { readonly code: string; readonly message: string }> {
    try {
      return await ledger.plan(recovery);
    } catch (error) {
      if (isOperatorError(error)) return { code: error.code, message: `${error.code}: ${error.message}` };
      throw error;
    }
  }

  async function hasToKeep(plan: RestorePlanDocument, what: string): Promise<void> {
    assert(plan.objects.is_complete, `${what}: ${JSON.stringify(plan.objects)}`);
    const { settings, basebackup, commits } = plan;
    assert(settings);
    const directory = await clone(basebackup.name, settings);
    try {
      await using server = await TestPostgres.startOn(directory, { archive_mode: 'off', fsync: 'off' });
      await server.promoted();
      const last = await lastEntryOf(server);
      const promised = ledger.promised(plan) ?? 0;
      const told = `${what}: promised ${promised}, restored ${last}: ${JSON.stringify(plan)}`;
      if (commits.before !== null || commits.is_exact) {
        const isKept = promised === last || (!commits.is_exact && last === promised + 1);
        assert(isKept, told);
      }
      tally.promised++;
      if (commits.is_exact) tally.exact++;
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  /** From none of the base backups that had ended by then PostgreSQL comes to what was refused. */
  async function hasToFail(recovery: RecoveryWishes, what: string): Promise<void> {
    const { target } = recovery;
    for (const { name, end, endLsn } of ledger.basebackups) {
      if (target.kind === 'time' && end.getTime() > target.time.epochMs) continue;
      if (target.kind === 'lsn' && endLsn > target.lsn) continue;
      const files = recoveryFiles(180_000, recovery, atOnce(restoreCommandTo(ledger.site.daemon.port)), {
        autoConf: '',
        postgresqlConf: '',
      });
      const directory = await clone(name, { file: files.settingsFile, text: files.settingsText, signal_file: files.signalFile ?? null });
      try {
        await using server = await TestPostgres.startOn(directory, { archive_mode: 'off', fsync: 'off' }, { waitForRecovery: false });
        const log = await server
          .ended()
          .catch((error: unknown) => assert.fail(`${what}, and PostgreSQL came to it from ${name}: ${messageOf(error)}`));
        assert.match(
          log,
          /could not restore file|recovery ended before configured recovery target|before consistent recovery point|requested timeline/,
          what,
        );
      } finally {
        await rm(directory, { recursive: true });
      }
    }
    tally.refused++;
  }

  /** A copy of a restored base backup, with these settings for its recovery. */
  async function clone(name: string, { file, text, signal_file: signal }: NonNullable<RestorePlanDocument['settings']>): Promise<string> {
    const from = await (restored.get(name) ?? restore(name));
    const to = ledger.site.place('clone');
    const copied = await runProgram('cp', ['-a', '--reflink=auto', from, to]);
    assert.equal(copied.code, 0, copied.stderr);
    await writeFile(join(to, file), text);
    if (signal !== null) await writeFile(join(to, signal), '');
    return to;
  }

  function restore(name: string): Promise<string> {
    const directory = ledger.site.place(`restored ${name}`);
    const restoring = ledger.site.daemon.restore(directory, ['--basebackup', name, '--restore-to-primary']).then(() => directory);
    restored.set(name, restoring);
    return restoring;
  }
});

/** What is not there is not asked for again and again. */
function atOnce(command: string): string {
  return `PGHOARD_RETRY_INTERVAL=0 ${command}`;
}

function timeOf(microseconds: number) {
  return { epochMs: Math.floor(microseconds / 1000), microseconds: microseconds % 1000 };
}

function inWords(target: RecoveryTarget): string {
  return JSON.stringify(target.kind === 'lsn' ? { ...target, lsn: formatLsn(target.lsn) } : target);
}
