import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedAlerts } from './shared-alerts.ts';

test('an alert of two parts stands until both have cleared it', async () => {
  const told: string[] = [];
  const shared = new SharedAlerts({
    raise: async (name, site, because) => void told.push(`${name} of ${site}: ${because}`),
    clear: async (name, site) => void told.push(`${name} of ${site} is gone`),
  });
  const [one, other] = [shared.from('one'), shared.from('other')];
  await one.raise('configuration_error', 'main', 'no slot');
  await other.raise('configuration_error', 'main', 'no server');
  await one.clear('configuration_error', 'main');
  await one.clear('authentication_error', 'main');
  await other.clear('configuration_error', 'main');
  assert.deepEqual(told, [
    'configuration_error of main: no slot',
    'configuration_error of main: no slot; no server',
    'configuration_error of main: no server',
    'authentication_error of main is gone',
    'configuration_error of main is gone',
  ]);
});
