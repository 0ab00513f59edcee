import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSyslogAddress, type SyslogAddress } from './syslog-address.ts';

const addresses: Readonly<Record<string, SyslogAddress | undefined>> = {
  '/dev/log': { kind: 'unix', path: '/dev/log' },
  '/run/my log:1': { kind: 'unix', path: '/run/my log:1' },
  'logs.example.org:5140': { kind: 'udp', host: 'logs.example.org', port: 5140 },
  '127.0.0.1:514': { kind: 'udp', host: '127.0.0.1', port: 514 },
  '[::1]:514': { kind: 'udp', host: '::1', port: 514 },
  'udp://logs': { kind: 'udp', host: 'logs', port: 514 },
  'tcp://logs:601': { kind: 'tcp', host: 'logs', port: 601 },
  'TCP://[fe80::1]': { kind: 'tcp', host: 'fe80::1', port: 514 },
  logs: undefined,
  'dev/log': undefined,
  '': undefined,
  'tls://logs:6514': undefined,
  'logs:0': undefined,
  'logs:65536': undefined,
  'logs:port': undefined,
  'tcp://logs:601/path': undefined,
  '::1:514': undefined,
};

for (const [text, address] of Object.entries(addresses)) {
  test(`the address of syslog ${JSON.stringify(text)} is ${address?.kind ?? 'refused'}`, () =>
    assert.deepEqual(parseSyslogAddress(text), address));
}
