import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { Alerts } from './alerts.ts';

test('an alert file stands as long as one site has the trouble', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'alerts-'));
  t.after(() => rm(directory, { recursive: true }));
  const alerts = new Alerts(directory, silentLog);

  await alerts.raise('upload_retries_warning', 'a', 'store down');
  await alerts.raise('upload_retries_warning', 'b', 'store down');
  assert.equal(await readFile(join(directory, 'upload_retries_warning'), 'utf8'), 'alert');

  await alerts.clear('upload_retries_warning', 'a');
  assert.deepEqual(await readdir(directory), ['upload_retries_warning']);
  assert.deepEqual(alerts.active, [{ name: 'upload_retries_warning', site: 'b', because: 'store down' }]);

  await alerts.clear('upload_retries_warning', 'b');
  assert.deepEqual(await readdir(directory), []);
  assert.deepEqual(alerts.active, []);
});

test('an alert file left by an earlier process goes when the cause is found gone', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'alerts-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'authentication_error'), 'alert');
  await new Alerts(directory, silentLog).clear('authentication_error', 'a');
  assert.deepEqual(await readdir(directory), []);
});
