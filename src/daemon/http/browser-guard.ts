import { isIP } from 'node:net';
import { OperatorError } from '../../lib/errors.ts';

export interface BrowserPolicy {
  /** `dashboard_actions` */
  readonly mayAct: boolean;
  /** Whether requests need credentials. */
  readonly hasCredentials: boolean;
}

/**
 * Refuses with `browser-refused` what a browser sends to change something, unless that is switched on and our own page sent it: other pages that somebody has open
 * must not. Browsers tell where a request comes from in headers that no page can set; programs send none of these. Without credentials the page has to have come
 * from an address: a name can be made to lead here by whoever owns it.
 */
export function refuseForeignPages(header: (name: string) => string | undefined, { mayAct, hasCredentials }: BrowserPolicy): void {
  const origin = header('origin');
  const fetchSite = header('sec-fetch-site');
  if (origin === undefined && fetchSite === undefined) return;
  const host = header('host') ?? '';
  const isOurs = (fetchSite ?? 'same-origin') === 'same-origin' && (origin === undefined || hostOf(origin) === host);
  if (!isOurs) throw refused('a page of another site sent it');
  if (!mayAct) throw refused('the dashboard may only look');
  if (!hasCredentials && !isAddress(host))
    throw refused('without credentials the dashboard acts only where it is opened by an address, such as 127.0.0.1');
}

function refused(why: string): OperatorError {
  return new OperatorError('browser-refused', `a browser asks for a change, which is refused: ${why}`, {
    hint: 'See dashboard_actions, webserver_username and webserver_password; or use the command line.',
  });
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function isAddress(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}
