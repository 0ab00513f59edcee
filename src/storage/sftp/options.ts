import { z } from 'zod';
import { optionGroup, pathOption, portOption } from '../../lib/option-group.ts';
import { commonStorageOptions, secretOption } from '../common-options.ts';

const fingerprintOption = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'must be a fingerprint as ssh-keygen -l shows it: SHA256: and 43 characters')
  .nullable()
  .default(null);

/** A directory on a server that is reached by SFTP. */
export const sftpStorageOptions = optionGroup({
  storage_type: z.literal('sftp').meta({ description: 'A directory on a server that is reached by SFTP.', since: '2.1' }),
  server: z.string().min(1).meta({ description: 'The server.', since: '2.1' }),
  port: portOption.default(22).meta({ description: 'Its port.', since: '2.1' }),
  username: z.string().min(1).meta({ description: 'User name.', since: '2.1' }),
  password: secretOption.meta({
    description: 'Password; not used where there is a `private_key`, unless the server wants both.',
    since: '2.1',
  }),
  private_key: pathOption.nullable().default(null).meta({
    description: 'File with the private key. Without it and `password`: the keys of the ssh-agent at `SSH_AUTH_SOCK`.',
    since: '2.1',
  }),
  private_key_passphrase: secretOption.meta({ description: 'What the file `private_key` is encrypted with.', since: '3.0' }),
  known_hosts: pathOption.nullable().default(null).meta({
    description: 'File with the keys of servers, as OpenSSH keeps it. Where it is given, servers that are not in it are refused.',
    since: '3.0',
    defaultText: '`~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`; a server that is in neither is accepted with a warning',
  }),
  host_key_fingerprint: fingerprintOption.meta({
    description: 'The only key that the server may have, as `ssh-keygen -l` shows it; `known_hosts` is not looked at then.',
    since: '3.0',
    example: 'SHA256:uNiVztksCsDhcc0u9e8BrjJXVqtx5P2rJ3XYbHxJV3k',
  }),
  ...commonStorageOptions.shape,
});

export type SftpStorageOptions = z.output<typeof sftpStorageOptions>;
