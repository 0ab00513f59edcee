import type { SwiftStorageOptions } from '../storage/swift/options.ts';

/** What each version of the login cannot do without, by key. */
export function missingForSwiftLogin(storage: SwiftStorageOptions): (readonly [key: string, message: string])[] {
  const { auth_version: version, application_credential_id, application_credential_secret } = storage;
  if (application_credential_id) {
    if (version !== 3) return [['application_credential_id', 'needs "auth_version": 3']];
    return application_credential_secret ? [] : [['application_credential_secret', 'is missing: it goes with application_credential_id']];
  }
  return [...missingCredentials(storage), ...missingProject(storage)];
}

function* missingCredentials({ auth_version, user, user_id, key }: SwiftStorageOptions): Generator<readonly [string, string]> {
  if (!user && !(auth_version === 3 && user_id)) yield ['user', 'is missing'];
  if (!key) yield ['key', 'is missing'];
}

/** No store belongs to a user alone: a login without a project is told of none. */
function* missingProject(storage: SwiftStorageOptions): Generator<readonly [string, string]> {
  const { auth_version, user, tenant_name, tenant_id, project_name, project_id } = storage;
  const hasTenant = Boolean(tenant_name || tenant_id);
  if (auth_version === 2 && !hasTenant && !user?.includes(':')) yield ['tenant_name', 'is missing: auth_version 2 needs it, or tenant_id'];
  if (auth_version === 3 && !hasTenant && !project_name && !project_id)
    yield ['project_name', 'is missing: auth_version 3 needs it, or project_id'];
}
