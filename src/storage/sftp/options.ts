import { z } from 'zod';
import { optionGroup, pathOption, portOption } from '../../lib/option-group.ts';
import { commonStorageOptions, secretOption } from '../common-options.ts';

/** A directory on a server that is reached by SFTP. */
export const sftpStorageOptions = optionGroup({
  storage_type: z.literal('sftp').meta({ description: 'A directory on a server that is reached by SFTP.', since: '2.1' }),
  server: z.string().min(1).meta({ description: 'The server.', since: '2.1' }),
  port: portOption.default(22).meta({ description: 'Its port.', since: '2.1' }),
  username: z.string().min(1).meta({ description: 'User name.', since: '2.1' }),
  password: secretOption.meta({ description: 'Password; not used where there is a `private_key`.', since: '2.1' }),
  private_key: pathOption.nullable().default(null).meta({ description: 'File with the private key.', since: '2.1' }),
  ...commonStorageOptions.shape,
});

export type SftpStorageOptions = z.output<typeof sftpStorageOptions>;
