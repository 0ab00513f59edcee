import { z } from 'zod';
import { optionGroup } from '../../lib/option-group.ts';

/** The HTTP server of the daemon. */
export const httpGlobalOptions = optionGroup({
  http_address: z
    .string()
    .transform((address) => (address === '' ? '0.0.0.0' : address))
    .default('127.0.0.1')
    .meta({ description: 'Address to listen at. Empty: all IPv4 addresses.' }),
  http_port: z.int().min(0).max(65_535).default(16_000).meta({ description: 'Port to listen at. 0: any free one.' }),
  webserver_username: z.string().min(1).nullable().default(null).meta({
    description: 'User name that requests must give (HTTP basic authentication). Null: none.',
    since: '2.6',
  }),
  webserver_password: z.string().min(1).nullable().default(null).meta({
    description: 'Password that goes with `webserver_username`.',
    since: '2.6',
  }),
  dashboard_actions: z.boolean().default(false).meta({
    description: 'Whether the dashboard may ask for base backups and confirm deletions. Otherwise it only shows.',
    since: '3.0',
  }),
});

export type HttpGlobalOptions = z.output<typeof httpGlobalOptions>;
