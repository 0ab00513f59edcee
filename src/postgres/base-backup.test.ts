import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { dataRow, report, ScriptedWalsender, said } from '../../test/support/scripted-walsender.ts';
import { isOperatorError } from '../lib/errors.ts';
import { type BaseBackupHandler, streamBaseBackup } from './base-backup.ts';
import { baseBackupCommand } from './base-backup-command.ts';

const never = new AbortController().signal;
const request = { label: "it's" };

/** Notes down what comes. */
class Notes implements BaseBackupHandler {
  readonly lines: string[] = [];
  begin(...told: Parameters<BaseBackupHandler['begin']>): void {
    const [{ lsn, timeline }, archives] = told;
    this.lines.push(
      `begins at ${lsn} on ${timeline}: ${archives.map(({ oid, path, kilobytes }) => `${oid} ${path} ${kilobytes}`).join(', ')}`,
    );
  }
  archive({ oid }: { readonly oid?: number | undefined }): void {
    this.lines.push(`archive ${oid}: `);
  }
  manifest(): void {
    this.lines.push('manifest: ');
  }
  data(bytes: Buffer): void {
    this.lines.push(`${this.lines.pop()}${bytes.toString('latin1')}`);
  }
  warning(text: string): void {
    this.lines.unshift(`warned of ${text}`);
  }
}

const answer = (...rows: readonly Buffer[]) => [said('T', '\0\0'), ...rows, said('C', 'SELECT\0')];
const begins = [...answer(dataRow('0/28', '2')), ...answer(dataRow('16395', '/disk', '7'), dataRow(null, null, '9'))];
const ends = [...answer(dataRow('0/100', '2')), said('C', 'BASE_BACKUP\0'), said('Z', 'I')];
const copyOut = said('H', '\0\0\0');
const piece = (letter: string, text = '') => said('d', letter + text);

/** The same backup as servers before 15 send it, and as those since. */
const conversations: Readonly<Record<number, readonly Buffer[]>> = {
  130_023: [
    begins,
    [copyOut, said('d', 'in'), said('d', 'side'), said('c')],
    [copyOut, said('d', 'data'), said('c')],
    [copyOut, said('d', '{}'), said('c')],
    ends,
  ].flat(),
  180_004: [
    begins,
    [copyOut, piece('n', '16395.tar\0/disk\0'), piece('p', '\0\0\0\0\0\0\0\0'), piece('d', 'in'), piece('d', 'side')],
    [piece('n', 'base.tar\0\0'), piece('d', 'data'), piece('m'), piece('d', '{}'), said('c')],
    ends,
  ].flat(),
};
const expected = ['begins at 40 on 2: 16395 /disk 7, undefined  9', 'archive 16395: inside', 'archive undefined: data', 'manifest: {}'];

async function received(serverVersion: number, messages: readonly Buffer[], isCut = false) {
  const server = new ScriptedWalsender({ serverVersion });
  const notes = new Notes();
  const ended = streamBaseBackup(server.connection, request, notes, never);
  server.say(...messages);
  if (isCut) server.hangUp();
  const end = await ended;
  return { notes: notes.lines, end, server };
}

for (const serverVersion of [130_023, 180_004]) {
  const conversation = conversations[serverVersion] ?? [];

  test(`a base backup as PostgreSQL ${serverVersion} sends it`, async () => {
    const { notes, end, server } = await received(serverVersion, conversation);
    assert.deepEqual(notes, expected);
    assert.deepEqual(end, { lsn: 0x100n, timeline: 2, isDamaged: false });
    const [command] = await server.hears(2);
    assert.deepEqual(command, { type: 'Q', body: Buffer.from(`${baseBackupCommand(serverVersion, request)}\0`) });
  });

  test(`it comes out the same wherever it is split (${serverVersion})`, async () => {
    const whole = Buffer.concat(conversation);
    for (let split = 0; split <= whole.length; split++) {
      const { notes } = await received(serverVersion, [whole.subarray(0, split), whole.subarray(split)]);
      assert.deepEqual(notes, expected, `split at ${split}`);
    }
  });

  test(`one that ends early is never taken for a whole one (${serverVersion})`, async () => {
    const whole = Buffer.concat(conversation);
    for (let length = 0; length < whole.length; length++) {
      await assert.rejects(
        received(serverVersion, [whole.subarray(0, length)], true),
        (error) => isOperatorError(error, 'postgres-unreachable') && error.retryable,
        `cut at ${length}`,
      );
    }
  });

  test(`messages that are left out, doubled, exchanged or damaged are refused or change nothing (${serverVersion})`, async () => {
    const at = fc.nat(conversation.length - 1);
    const mutation = fc.oneof(
      at.map((i) => conversation.toSpliced(i, 1)),
      at.map((i) => conversation.toSpliced(i, 0, conversation[i] as Buffer)),
      fc.tuple(at, at).map(([i, j]) => conversation.with(i, conversation[j] as Buffer).with(j, conversation[i] as Buffer)),
      fc.tuple(at, fc.nat(), fc.nat(255)).map(([i, position, byte]) => {
        const damaged = Buffer.from(conversation[i] as Buffer);
        damaged[position % damaged.length] = byte;
        return conversation.with(i, damaged);
      }),
    );
    await fc.assert(
      fc.asyncProperty(mutation, async (messages) => {
        const outcome = await received(serverVersion, messages, true).catch((error: unknown) => error);
        if (isOperatorError(outcome)) return;
        assert(!(outcome instanceof Error), String(outcome));
      }),
      { numRuns: 300 },
    );
  });
}

test('damaged pages: the server warns, ends with an error, and the backup is whole all the same', async () => {
  const damaged = said('N', 'SWARNUNG\0VWARNING\0C01000\0Mchecksum verification failed in file "./base/1/2", block 3\0\0');
  const last = [...answer(dataRow('0/100', '2')), report('E', 'XX001', 'checksum verification failure during base backup')];
  const { notes, end } = await received(180_004, [damaged, ...(conversations[180_004] ?? []).slice(0, -ends.length), ...last]);
  assert.deepEqual(notes, ['warned of checksum verification failed in file "./base/1/2", block 3', ...expected]);
  assert.equal(end.isDamaged, true);
});

test('an error in the midst is told as the server words it, and an abort with its reason', async () => {
  const [first = Buffer.alloc(0)] = begins;
  const failed = received(180_004, [first, report('E', '55000', 'the standby was promoted during online backup')]);
  await assert.rejects(failed, /the standby was promoted/);
  const shutDown = received(180_004, [...begins, report('E', '57P01', 'terminating connection')]);
  await assert.rejects(shutDown, (error) => isOperatorError(error, 'postgres-unreachable') && error.retryable);
  const stop = new AbortController();
  const server = new ScriptedWalsender();
  const aborted = streamBaseBackup(server.connection, request, new Notes(), stop.signal);
  server.say(...begins);
  await server.hears(1);
  stop.abort(new Error('called off'));
  await assert.rejects(aborted, { message: 'called off' });
});

test('what the command asks for, in both of its forms', () => {
  assert.equal(
    baseBackupCommand(140_000, { label: "it's", bytesPerSecondMax: 1_000_000 }),
    `BASE_BACKUP LABEL 'it''s' PROGRESS FAST NOWAIT MAX_RATE 976 MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'`,
  );
  assert.equal(
    baseBackupCommand(150_000, { label: 'x', bytesPerSecondMax: 1_048_576, tablespaceMap: true }),
    `BASE_BACKUP (LABEL 'x', PROGRESS, CHECKPOINT 'fast', WAIT false, MAX_RATE 1024, TABLESPACE_MAP, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')`,
  );
});
