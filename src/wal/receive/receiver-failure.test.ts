import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiverFailure } from './receiver-failure.ts';

const start = 'pg_receivewal: error: could not send replication command "START_REPLICATION": ERROR:  ';
const stream = 'pg_receivewal: error: unexpected termination of replication stream: ERROR:  ';

/** Said by pg_receivewal 15, 16 and 18. */
for (const [code, said, message] of [
  ['wal-removed', `${stream}requested WAL segment 000000010000000000000006 has already been removed`, /000000010000000000000006/],
  [
    'wal-diverged',
    `${start}requested starting point 0/8000000 on timeline 1 is not in this server's history\nDETAIL:  forked`,
    /0\/8000000/,
  ],
  ['wal-timeline-ahead', 'pg_receivewal: error: starting timeline 2 is not present in the server', /timeline 2/],
  [
    'wal-position-ahead',
    `${stream}requested starting point 0/10000000 is ahead of the WAL flush position of this server 0/E00238`,
    /E00238/,
  ],
  ['slot-missing', `${start}replication slot "nix" does not exist`, /slot nix /],
  ['slot-in-use', `${start}replication slot "s" is active for PID 9683`, /slot s .*9683/],
  ['slot-lost', `${start}cannot read from physical slot: can no longer access replication slot "s"`, /slot s /],
  ['slot-lost', `${start}can no longer get changes from replication slot "s"`, /slot s /],
  ['disk-full', 'pg_receivewal: error: could not write 8192 bytes to WAL file "x": No space left on device', /no room/],
  ['wal-receiver-failed', 'pg_receivewal: error: disconnected', /exit code 1/],
  ['wal-receiver-failed', '', /exit code 1/],
] as const) {
  test(`${code}: ${said.slice(0, 90)}`, () => {
    const failure = receiverFailure(`pg_receivewal: starting log streaming at 0/600000 (timeline 1)\n${said}`, 'exit code 1');
    assert.equal(failure.code, code);
    assert.match(failure.message, message);
    assert.ok(failure.hint);
    assert.match(String(failure.cause), /starting log streaming/);
  });
}
