import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfigText } from './check.ts';
import { problemsOf } from './check-support.ts';
import { ConfigError } from './problem.ts';

test('all problems are told at once, in the order of the file, and a bad value hides no contradiction of others', () => {
  const text = `{
  "log_level": "loud",
  "backup_sites": {
    "main": {
      "nodes": 7,
      "basebackup_minute": 3,
      "object_storage": {"storage_type": "local"}
    },
    "other": {"moved_from": ["nobody"], "object_storage": {"storage_type": "local", "directory": "/b"}}
  },
  "http_prot": 1
}`;
  assert.throws(
    () => checkConfigText('/etc/pghoard.json', Buffer.from(text), true).result(),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.code, 'config-invalid');
      assert.equal(
        error.message,
        `configuration file /etc/pghoard.json has 10 problems:
  backup_location: is missing; objects wait there for their upload
  log_level (line 2, column 3): must be one of "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "WARN", "FATAL", "NOTSET", is "LOUD"
  backup_sites.main.pg_data_directory (line 4, column 5): is missing; the daemon needs it for an active site
  backup_sites.main.nodes (line 5, column 7): must be a list, is a number
  backup_sites.main.basebackup_minute (line 6, column 7): is without meaning where basebackup_hour is not set
  backup_sites.main.object_storage.directory (line 7, column 7): is missing
  backup_sites.other.pg_data_directory (line 9, column 5): is missing; the daemon needs it for an active site
  backup_sites.other.nodes (line 9, column 5): names no server; the daemon needs one for an active site
  backup_sites.other.moved_from[0] (line 9, column 30): there is no site "nobody"
  http_prot (line 11, column 3): unknown key (did you mean "http_port"?)`,
      );
      return true;
    },
  );
});

test('keys given twice are refused', () => {
  assert.deepEqual(problemsOf('{"http_port": 1, "http_port": 2, "transfer": {"thread_count": 1, "thread_count": 1}}'), [
    'http_port: is given twice',
    'transfer.thread_count: is given twice',
  ]);
});

const noObjects: readonly (readonly [text: string | Buffer, message: RegExp])[] = [
  ['{"a": 1,\n}', /has a problem:\n {2}line 2, column 1: does not contain valid JSON: expected a key in double quotes/],
  ['', /line 1, column 1: does not contain valid JSON: expected a value, found the end of the file/],
  ['[]', /must be a JSON object/],
  ['"x"', /must be a JSON object/],
  ['null', /must be a JSON object/],
  [Buffer.from([0x7b, 0xff, 0x7d]), /is not text in UTF-8/],
];

for (const [text, message] of noObjects) {
  test(`${JSON.stringify(text.toString('latin1'))} is refused as a whole`, () => {
    assert.throws(
      () => checkConfigText('f', Buffer.from(text), false),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  });
}

test('no problem repeats a secret', () => {
  const secret = 'geheim';
  const found = problemsOf(
    JSON.stringify({
      webserver_password: [secret],
      backup_sites: {
        main: {
          nodes: [`password=${secret} x`, { password: { a: secret } }],
          encryption_keys: { k: { private: secret } },
          object_storage: { storage_type: 's3', bucket_name: 'b', aws_secret_access_key: [secret], aws_session_token: { secret } },
        },
      },
    }),
  );
  assert.equal(found.length, 6, found.join('\n'));
  assert.ok(!found.join('\n').includes(secret));
});

test('hostile files are refused or read, and nothing else happens', () => {
  assert.deepEqual(problemsOf('{"__proto__": {"polluted": 1}, "constructor": 1, "toString": 2}').length, 3);
  assert.match(problemsOf('{"backup_location": "/s", "backup_sites": {"__proto__": {}}}').join('\n'), /the name of a site/);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});
