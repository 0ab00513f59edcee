import type { StorageOptions } from '../../../storage/options.ts';

const shownCharacters = 4;

/** As whom we come to a store, as far as the configuration tells, without anything secret. `user`: who runs this. */
export function describeLogin(storage: StorageOptions, user: string): string {
  switch (storage.storage_type) {
    case 'local':
      return `as the user ${user} of this host`;
    case 's3':
      return storage.aws_access_key_id === null
        ? 'with what the environment, the profile or the instance gives'
        : `with the access key ${beginningOf(storage.aws_access_key_id)}`;
    case 'google':
      return describeGoogle(storage);
    case 'azure':
      return `to the account ${storage.account_name}, ${describeAzure(storage)}`;
    case 'swift':
      return `as ${[storage.tenant_name ?? storage.project_name ?? storage.project_id, storage.user].filter((part) => part).join(':')} at ${withoutUserInfo(storage.auth_url)}`;
    case 'sftp':
      return `as ${storage.username} at ${storage.server}:${storage.port}, with ${storage.private_key === null ? 'a password' : 'a private key'}`;
  }
}

/** Key ids are no secrets, but there is no need to spread them either. */
function beginningOf(id: string): string {
  return id.length <= shownCharacters * 2 ? `${id.slice(0, 2)}…` : `${id.slice(0, shownCharacters)}…`;
}

function describeGoogle(storage: Extract<StorageOptions, { storage_type: 'google' }>): string {
  const email: unknown = storage.credentials?.['client_email'];
  if (typeof email === 'string') return `as ${email}`;
  if (storage.credentials !== null) return `with credentials of the type ${storage.credentials.type}`;
  return storage.credential_file === null
    ? 'with the default credentials of the application'
    : `with the credentials in ${storage.credential_file}`;
}

function describeAzure({ account_key: key, sas_token: token }: Extract<StorageOptions, { storage_type: 'azure' }>): string {
  if (key !== null) return 'with its key';
  return token === null ? 'with what the environment or the machine gives' : 'with a shared access signature';
}

function withoutUserInfo(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'its login server';
}
