import { type ConnInfo, splitHosts } from './conninfo.ts';

const portDefault = '5432';

/** What people call a server: `db1:5432`, of several `db1:5432,db2:5432`. Nothing in it is secret. */
export function nodeLabel(info: ConnInfo): string {
  if (info.service !== undefined && info.host === undefined && info.hostaddr === undefined) return `service ${info.service}`;
  return splitHosts(info)
    .map(({ host, hostaddr, port = portDefault }) => `${host ?? hostaddr ?? 'localhost'}:${port}`)
    .join(',');
}
