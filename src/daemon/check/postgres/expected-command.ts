import type { SiteConfig } from '../../../config/load.ts';
import { defaultHost, reachableHost } from '../../../restore/restore-command.ts';
import type { CheckDeps } from '../deps.ts';
import type { WantedArchiving } from './judge-archiving.ts';

const portDefault = 16_000;

/** What `archive_command` of the servers of a site should be. */
export function wantedArchiving(
  { name }: SiteConfig,
  { config, postgresCommand }: Pick<CheckDeps, 'config' | 'postgresCommand'>,
): WantedArchiving {
  const address = reachableHost(config.http_address);
  const host = address === defaultHost ? '' : ` --host ${address}`;
  const port = config.http_port === portDefault ? '' : ` --port ${config.http_port}`;
  return {
    site: name,
    host: address,
    port: config.http_port,
    command: `${postgresCommand} --mode archive --site ${name}${host}${port} --xlog %f`,
    wantsCredentials: config.webserver_username !== null,
  };
}
