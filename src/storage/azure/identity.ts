import type { TokenCredential } from '@azure/identity';
import type { AzureStorageOptions } from './options.ts';

/**
 * The one identity that the surroundings name. No chain: one that is not there for a moment must not be replaced by another that happens to be.
 * Tokens are renewed as they run out, and the file of a workload identity is read anew for that.
 */
export async function surroundingIdentity(cloud: AzureStorageOptions['azure_cloud']): Promise<TokenCredential> {
  const { AzureAuthorityHosts, EnvironmentCredential, ManagedIdentityCredential, WorkloadIdentityCredential } = await import(
    '@azure/identity'
  );
  const authorities = {
    public: undefined,
    germany: AzureAuthorityHosts.AzureGermany,
    china: AzureAuthorityHosts.AzureChina,
    usgovernment: AzureAuthorityHosts.AzureGovernment,
  };
  const authorityHost = authorities[cloud ?? 'public'];
  const options = authorityHost === undefined ? {} : { authorityHost };
  const { AZURE_CLIENT_ID: clientId, ...environment } = process.env;
  if (environment['AZURE_FEDERATED_TOKEN_FILE'] !== undefined) return new WorkloadIdentityCredential(options);
  if (environment['AZURE_CLIENT_SECRET'] !== undefined || environment['AZURE_CLIENT_CERTIFICATE_PATH'] !== undefined)
    return new EnvironmentCredential(options);
  return clientId === undefined ? new ManagedIdentityCredential(options) : new ManagedIdentityCredential({ ...options, clientId });
}
