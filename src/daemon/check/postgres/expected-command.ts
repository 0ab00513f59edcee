import type { SiteConfig } from '../../../config/load.ts';
import type { CheckDeps } from '../deps.ts';
import type { WantedArchiving } from './judge-archiving.ts';

const portDefault = 16_000;

/** What `archive_command` of the servers of a site should be. */
export function wantedArchiving(
  { name }: SiteConfig,
  { config, postgresCommand }: Pick<CheckDeps, 'config' | 'postgresCommand'>,
): WantedArchiving {
  const port = config.http_port === portDefault ? '' : ` --port ${config.http_port}`;
  return {
    site: name,
    port: config.http_port,
    command: `${postgresCommand} --mode archive --site ${name}${port} --xlog %f`,
    wantsCredentials: config.webserver_username !== null,
  };
}
