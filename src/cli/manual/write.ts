import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { packageVersion } from '../main.ts';
import { manualFiles } from './manual.ts';

/** `node write.js DIRECTORY`: writes manual pages and completions below it. Dated by SOURCE_DATE_EPOCH, so that packages can be built the same again. */
const [, , directory = 'dist/share'] = process.argv;
const epoch = process.env['SOURCE_DATE_EPOCH'];
const date = epoch === undefined ? systemClock.now() : new Date(Number(epoch) * 1000);
for (const [path, text] of await manualFiles({ date, version: packageVersion() })) {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
}
