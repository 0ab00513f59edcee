import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { type ConnInfo, formatConninfo, parseConninfo, splitHosts, withoutPassword } from './conninfo.ts';
import { parseNode } from './node.ts';

type Input = string | Record<string, unknown>;

const readable: readonly (readonly [input: Input, info: ConnInfo])[] = [
  ['', {}],
  ['   ', {}],
  ['host=localhost port=5432', { host: 'localhost', port: '5432' }],
  [
    "host=localhost port='5432' user=foo password='bar' dbname=replication",
    { host: 'localhost', port: '5432', user: 'foo', password: 'bar', dbname: 'replication' },
  ],
  ['host = a\tport\n=\n1', { host: 'a', port: '1' }],
  [String.raw`password='it\'s a \\ back' user=x`, { password: String.raw`it's a \ back`, user: 'x' }],
  [String.raw`password=it\'s\ one\\two`, { password: String.raw`it's one\two` }],
  ["password='' user=x", { password: '', user: 'x' }],
  ["password='a=b c'user=x", { password: 'a=b c', user: 'x' }],
  ['host=a host=b', { host: 'b' }],
  ['host= port=5', { host: 'port=5' }],
  ['password=a=b', { password: 'a=b' }],
  ["application_name='Ünïcode 💾'", { application_name: 'Ünïcode 💾' }],

  ['postgres://', {}],
  ['postgresql://host', { host: 'host' }],
  ['postgres://u@h', { user: 'u', host: 'h' }],
  ['postgres://u:p@h:5433/db', { user: 'u', password: 'p', host: 'h', port: '5433', dbname: 'db' }],
  ['postgres://u%40x:p%40ss%3A%2F%25@h/d%20b', { user: 'u@x', password: 'p@ss:/%', host: 'h', dbname: 'd b' }],
  ['postgres://u:p@ss@h/db', { user: 'u', password: 'p@ss', host: 'h', dbname: 'db' }],
  ['postgres://u:p:q@h', { user: 'u', password: 'p:q', host: 'h' }],
  ['postgres://u:@h', { user: 'u', host: 'h' }],
  ['postgres://:p@h', { password: 'p', host: 'h' }],
  ['postgres:///db', { dbname: 'db' }],
  ['postgres:///db?host=/var/run/postgresql', { dbname: 'db', host: '/var/run/postgresql' }],
  ['postgres://%2Fvar%2Frun/db', { host: '/var/run', dbname: 'db' }],
  ['postgres://[::1]:5433/db', { host: '::1', port: '5433', dbname: 'db' }],
  ['postgres://[fe80::1]', { host: 'fe80::1' }],
  ['postgres://h1:1,h2,[::1]:3/db', { host: 'h1,h2,::1', port: '1,,3', dbname: 'db' }],
  ['postgres://h1,h2/db?target_session_attrs=read-write', { host: 'h1,h2', dbname: 'db', target_session_attrs: 'read-write' }],
  ['postgres://h:/db', { host: 'h', dbname: 'db' }],
  ['postgres://h?sslmode=require&sslmode=verify-full', { host: 'h', sslmode: 'verify-full' }],
  ['postgres://h/db?dbname=other&password=a+b%26c', { host: 'h', dbname: 'other', password: 'a+b&c' }],
  ['postgres://h?ssl=true', { host: 'h', sslmode: 'require' }],
  ['postgres://u:%E2%82%AC@h', { user: 'u', password: '€', host: 'h' }],

  [
    { host: 'h', port: 5432, password: "x'y\\z" },
    { host: 'h', port: '5432', password: "x'y\\z" },
  ],
  [
    { host: 'h', password: null, replication: true },
    { host: 'h', replication: 'true' },
  ],
  [{ connection_string: 'host=h user=u' }, { host: 'h', user: 'u' }],
  [{ connection_string: 'postgres://u@h' }, { host: 'h', user: 'u' }],
  [{}, {}],
];

for (const [input, info] of readable) {
  test(`${JSON.stringify(input)} is read`, () => assert.deepEqual(parseConninfo(input), info));
}

const unreadable: readonly (readonly [input: Input, message: RegExp])[] = [
  ['host', /missing "=" after word at position 1/],
  ['host=a geheim', /missing "=" after word at position 8/],
  ['=a', /missing keyword before "=" at position 1/],
  ["password='geheim", /the quoted value of "password" does not end/],
  [String.raw`password='geheim\'`, /the quoted value of "password" does not end/],
  ['pasword=geheim', /unknown connection parameter "pasword" \(did you mean "password"\?\)/],
  ['host=h slot=s', /unknown connection parameter "slot"/],
  ['__proto__=geheim', /unknown connection parameter "__proto__"/],
  ['postgres://u:100%@h', /the password has a "%" that is not followed by two hexadecimal digits/],
  ['postgres://u:geheim%zz@h', /the password has a "%"/],
  ['postgres://u:%FF@h', /the password has a "%"/],
  ['postgres://u:%00@h', /the password has a "%"/],
  ['postgres://[::1/db', /cannot read the host and port/],
  ['postgres://[::1]x/db', /cannot read the host and port/],
  ['postgres://h:geheim/db', /cannot read the host and port/],
  ['postgres://h?sslmode', /a query parameter lacks its "="/],
  ['postgres://h?=x', /a query parameter lacks its "="/],
  ['postgres://h?nope=geheim', /unknown connection parameter "nope"/],
  [{ hots: 'h' }, /unknown connection parameter "hots" \(did you mean "host"\?\)/],
  [{ host: ['geheim'] }, /connection parameter "host" must be text/],
  [{ connection_string: 'host=h', user: 'geheim' }, /connection_string cannot be combined with user/],
  [{ connection_string: 5 }, /connection_string must be text/],
  [{ connection_string: 'service="a b"' }, /missing "="/],
];

for (const [input, message] of unreadable) {
  test(`${JSON.stringify(input)} is refused without repeating what may be secret`, () => {
    assert.throws(
      () => parseConninfo(input),
      (error) => {
        assert.ok(isOperatorError(error, 'conninfo-invalid'));
        assert.match(error.message, message);
        assert.ok(!error.message.includes('geheim'));
        return true;
      },
    );
  });
}

test('what is formatted is sorted and quoted, and reads back', () => {
  const info = { port: '5432', host: 'localhost', password: String.raw`a'b\c d`, user: '' };
  const text = formatConninfo(info);
  assert.equal(text, String.raw`host='localhost' password='a\'b\\c d' port='5432' user=''`);
  assert.deepEqual(parseConninfo(text), info);
});

test('nothing secret is left without password', () => {
  const info = parseConninfo('host=h password=a sslpassword=b oauth_client_secret=c scram_client_key=d scram_server_key=e user=u');
  assert.deepEqual(withoutPassword(info), { host: 'h', user: 'u' });
});

const nodes: readonly (readonly [input: Input, conninfo: ConnInfo, slot: string | null])[] = [
  ['host=h', { host: 'h' }, null],
  ['host=h slot=s', { host: 'h' }, 's'],
  ['postgres://h/db?slot=s', { host: 'h', dbname: 'db' }, 's'],
  [{ host: 'h', slot: 's' }, { host: 'h' }, 's'],
  [{ host: 'h', slot: null }, { host: 'h' }, null],
  [{ connection_string: 'host=h', slot: 's' }, { host: 'h' }, 's'],
  [{ connection_string: 'host=h' }, { host: 'h' }, null],
];

for (const [input, conninfo, slot] of nodes) {
  test(`node ${JSON.stringify(input)} is read`, () => assert.deepEqual(parseNode(input), { conninfo, slot }));
}

test('the name of a slot must be text', () => assert.throws(() => parseNode({ host: 'h', slot: {} }), /slot must be text/));

const several: readonly (readonly [info: ConnInfo, each: readonly ConnInfo[]])[] = [
  [{ user: 'u' }, [{ user: 'u' }]],
  [{ host: 'a', port: '1' }, [{ host: 'a', port: '1' }]],
  [
    { host: 'a,b', port: '1', user: 'u' },
    [
      { host: 'a', port: '1', user: 'u' },
      { host: 'b', port: '1', user: 'u' },
    ],
  ],
  [
    { host: 'a,b', port: '1,2' },
    [
      { host: 'a', port: '1' },
      { host: 'b', port: '2' },
    ],
  ],
  [{ host: 'a,b', port: ',2' }, [{ host: 'a' }, { host: 'b', port: '2' }]],
  [{ hostaddr: '1.1.1.1,2.2.2.2' }, [{ hostaddr: '1.1.1.1' }, { hostaddr: '2.2.2.2' }]],
  [
    { host: 'a,b', hostaddr: '1.1.1.1,2.2.2.2' },
    [
      { host: 'a', hostaddr: '1.1.1.1' },
      { host: 'b', hostaddr: '2.2.2.2' },
    ],
  ],
];

for (const [info, each] of several) {
  test(`${JSON.stringify(info)} is split into its hosts`, () => assert.deepEqual(splitHosts(info), each));
}

test('lists that do not match are refused', () => {
  assert.throws(() => splitHosts({ host: 'a,b', port: '1,2,3' }), /cannot match ports to hosts: 3 and 2/);
  assert.throws(() => splitHosts({ host: 'a,b', hostaddr: '1.1.1.1' }), /cannot match host names to host addresses/);
});
