import type { StorageOptions } from '../../../storage/options.ts';

const shownCharacters = 4;

/** As whom we come to a store, as far as the configuration tells, without anything secret. `user`: who runs this. */
export function describeLogin(storage: StorageOptions, user: string): string {
  switch (storage.storage_type) {
    case 'local':
      return `as the user ${user} of this host`;
    case 's3':
      return describeS3(storage);
    case 'google':
      return describeGoogle(storage);
    case 'azure':
      return describeAzure(storage);
    case 'swift':
      return describeSwift(storage);
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

function describeS3({ aws_access_key_id: id, role_arn: role }: Extract<StorageOptions, { storage_type: 's3' }>): string {
  const key = id === null ? 'with what the environment, the profile or the instance gives' : `with the access key ${beginningOf(id)}`;
  return role === null ? key : `${key}, in the role ${role}`;
}

function describeAzure(storage: Extract<StorageOptions, { storage_type: 'azure' }>): string {
  const { account_name: name, account_key: key, sas_token: token, connection_string: whole } = storage;
  const account = name === null ? '' : `to the account ${name}, `;
  if (whole !== null) return `${account}with a connection string`;
  if (key !== null) return `${account}with its key`;
  return `${account}with ${token === null ? 'the identity of the machine or workload' : 'a shared access signature'}`;
}

function describeSwift(storage: Extract<StorageOptions, { storage_type: 'swift' }>): string {
  const where = URL.canParse(storage.auth_url) ? new URL(storage.auth_url).host : 'its login server';
  if (storage.application_credential_id !== null) return `with the application credential ${storage.application_credential_id} at ${where}`;
  const project = storage.project_name ?? storage.project_id ?? storage.tenant_name ?? storage.tenant_id;
  return `as ${[project, storage.user ?? storage.user_id].filter((part) => part).join(':')} at ${where}`;
}
