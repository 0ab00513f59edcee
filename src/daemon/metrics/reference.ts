import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../../config/reference.ts';
import { metricsPage } from './metrics-page.ts';

export const metricsPageFile = 'docs/metrics.md';

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(packageFile(metricsPageFile), metricsPage());
