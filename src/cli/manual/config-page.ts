import { configReference } from '../../config/reference-text.ts';
import type { Edition } from './command-page.ts';
import { markdownToRoff } from './markdown-to-roff.ts';
import { bold, heading, page, pageHead } from './roff.ts';

/** The manual page of the configuration file: docs/config.md for a terminal. */
export function configPage(edition: Edition): string {
  const body = configReference().replace(/^# .*$/m, '');
  return `${page([
    pageHead({ name: 'pghoard.json', section: 5, ...edition }),
    heading('Name'),
    'pghoard.json \\- configuration file of pghoard and its tools',
    heading('Description'),
    markdownToRoff(body),
    heading('See also'),
    `${bold('pghoard')}(1)`,
  ])}\n`;
}
