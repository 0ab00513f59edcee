import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import type { Log } from '../../lib/log.ts';
import { textReply } from './reply.ts';
import { ReplyLog } from './reply-log.ts';

const levels: readonly { readonly answer: string; readonly status: number; readonly code: string; readonly level: string }[] = [
  { answer: 'a success', status: 201, code: '', level: 'debug' },
  { answer: 'not stored', status: 404, code: 'wal-missing', level: 'debug' },
  { answer: 'ask for the bytes', status: 417, code: 'target-not-reserved', level: 'debug' },
  { answer: 'nothing to a client that has left', status: 500, code: 'client-gone', level: 'debug' },
  { answer: 'ask again', status: 503, code: 'shutting-down', level: 'debug' },
  { answer: 'a mistake of the client', status: 400, code: 'request-invalid', level: 'warn' },
  { answer: 'a thing that is not configured', status: 501, code: 'not-implemented', level: 'warn' },
  { answer: 'a trouble of the store', status: 503, code: 'store-unreachable', level: 'error' },
];

function bench() {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const at = (level: string) => (_fields: object, message: string) => void told.push(`${level} ${message}`);
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
  const replyLog = new ReplyLog(log, clock);
  const answered = (status: number, code: string, url = '/main/archive/x') => {
    const reply = textReply(status, `${code}: words\n  hint: more words\n`);
    replyLog.answered({ method: 'PUT', url } as IncomingMessage, { ...reply, headers: { ...reply.headers, 'x-pghoard-code': code } });
    return told.at(-1);
  };
  return { clock, told, answered };
}

for (const { answer, status, code, level } of levels) {
  test(`the answer ${status}, ${answer}, is told at ${level}`, () =>
    assert.match(bench().answered(status, code) ?? '', new RegExp(`^${level} `)));
}

test('the same failure of the same request is told once an hour, another one at once', async () => {
  const { clock, told, answered } = bench();
  for (let n = 0; n < 1_000; n++) answered(503, 'store-unreachable');
  answered(409, 'wal-conflict');
  answered(503, 'store-unreachable', '/main/archive/y');
  const worth = () => told.filter((line) => !line.startsWith('debug'));
  const [store, conflict] = ['store-unreachable', 'wal-conflict'].map(
    (code) => `HTTP request answered with ${code}: words\n  hint: more words`,
  );
  assert.deepEqual(worth(), [`error ${store}`, `warn ${conflict}`, `error ${store}`]);
  await clock.run(clock.sleep(3_600_000));
  answered(503, 'store-unreachable');
  assert.equal(worth().length, 4);
});
