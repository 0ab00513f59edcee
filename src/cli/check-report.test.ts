import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Section } from '../daemon/check/finding.ts';
import { checkExitCode, outcomeOf } from './check-outcome.ts';
import { CheckReport } from './check-report.ts';

const sections: readonly Section[] = [
  {
    subject: 'configuration',
    findings: [
      { id: 'settings', result: 'ok', because: 'one site, nothing to complain about', remedy: [] },
      { id: 'user', result: 'note', because: 'checked as root', remedy: ['sudo -u postgres pghoard check'] },
    ],
  },
  {
    subject: 'postgres',
    site: 'main',
    about: 'pghoard@db1:5432/postgres',
    findings: [
      {
        id: 'archive-command',
        result: 'failure',
        because: 'archive_command archives for the site other, not for main',
        remedy: [`ALTER SYSTEM SET archive_command = '…';`, 'SELECT pg_reload_conf();'],
      },
      {
        id: 'tablespace',
        about: 'apart',
        result: 'warning',
        because: 'a text that is\n so long that it takes more than one line of a terminal of eighty columns',
        remedy: ['fewer'],
      },
    ],
  },
];

/** What a report on these sections looks like. */
function reported(output: { isTTY?: boolean; columns?: number }, env: NodeJS.ProcessEnv = {}): string {
  let text = '';
  const report = new CheckReport({ ...output, write: (part) => (text += part) }, { version: '3.0.0', file: '/etc/pghoard.json' }, env);
  for (const section of sections) report.add(section);
  report.end(outcomeOf(sections));
  return text;
}

test('for a file or a pipe: plain words, one line for each finding', () => {
  assert.equal(
    reported({}),
    `pghoard 3.0.0 looks at /etc/pghoard.json

Configuration
  ok       settings            one site, nothing to complain about
  note     user                checked as root
                               hint: sudo -u postgres pghoard check

Site main: PostgreSQL, pghoard@db1:5432/postgres
  FAILURE  archive command     archive_command archives for the site other, not for main
                               fix: ALTER SYSTEM SET archive_command = '…';
                                    SELECT pg_reload_conf();
  WARNING  tablespace          apart: a text that is so long that it takes more than one line of a terminal of eighty columns
                               fix: fewer

1 failure and 1 warning; 1 check is ok. Mend the failures: without that backups cannot be relied on.
`,
  );
});

test('for a terminal: signs, and lines no longer than it is wide', () => {
  const text = reported({ isTTY: true, columns: 80 }, { NO_COLOR: '1' });
  assert.equal(
    text,
    `pghoard 3.0.0 looks at /etc/pghoard.json

Configuration
  ✓ settings            one site, nothing to complain about
  · user                checked as root
                        → sudo -u postgres pghoard check

Site main: PostgreSQL, pghoard@db1:5432/postgres
  ✗ archive command     archive_command archives for the site other, not for
                        main
                        → ALTER SYSTEM SET archive_command = '…';
                          SELECT pg_reload_conf();
  ! tablespace          apart: a text that is so long that it takes more than
                        one line of a terminal of eighty columns
                        → fewer

1 failure and 1 warning; 1 check is ok. Mend the failures: without that backups cannot be relied on.
`,
  );
});

test('colours for a terminal that wants them, and for nothing else', () => {
  const escape = String.fromCodePoint(27);
  const text = reported({ isTTY: true, columns: 80 });
  assert.ok(text.includes(`${escape}[31m✗${escape}[39m archive command`));
  assert.ok(!reported({}).includes(escape) && !reported({ isTTY: true, columns: 80 }, { NO_COLOR: '1' }).includes(escape));
});

test('exit codes by the worst result, and what the last line says where nothing is wrong', () => {
  assert.deepEqual(
    (['ok', 'note', 'warning', 'failure'] as const).map((result) => checkExitCode({ result })),
    [0, 0, 3, 1],
  );
  let text = '';
  new CheckReport({ write: (part) => (text += part) }, { version: '3', file: 'f' }).end(outcomeOf(sections.slice(0, 1)));
  assert.match(text, /\nNothing is wrong: 1 check is ok\.\n$/);
});
