import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';

/** Ports on 127.0.0.1. */
export interface SwiftPorts {
  readonly proxy: number;
  readonly account: number;
  readonly container: number;
  readonly object: number;
  readonly memcached: number;
}

export interface SwiftConfiguration {
  /** Where the files will lie. */
  readonly etc: string;
  readonly ports: SwiftPorts;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** Of a Keystone that is to check tokens, in place of TempAuth. */
  readonly keystoneUrl: string | undefined;
  /** Objects larger than this are refused. */
  readonly maxFileBytes: number;
  /** How long TempAuth's tokens are good for. */
  readonly tokenSeconds: number;
}

const swiftFilters = ['catch_errors', 'gatekeeper', 'healthcheck', 'listing_formats', 'bulk', 'container_quotas', 'copy', 'slo', 'dlo'];

/** Swift's configuration files by name. */
export function swiftConfiguration(configuration: SwiftConfiguration): ReadonlyMap<string, string> {
  const { ports, maxFileBytes } = configuration;
  return new Map([
    ['swift.conf', commonConfiguration(maxFileBytes)],
    ['account-server.conf', storageServer(configuration, 'account', ports.account)],
    ['container-server.conf', storageServer(configuration, 'container', ports.container)],
    ['object-server.conf', storageServer(configuration, 'object', ports.object)],
    ['proxy-server.conf', proxyServer(configuration)],
  ]);
}

function commonConfiguration(maxFileBytes: number): string {
  return `[swift-hash]
swift_hash_path_suffix = t
swift_hash_path_prefix = t
[storage-policy:0]
name = gold
default = yes
[swift-constraints]
max_file_size = ${maxFileBytes}
`;
}

/** A log address that is not there: else it logs to the system's log. */
function server({ etc }: SwiftConfiguration, name: string, port: number): string {
  const directory = dirname(etc);
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${etc}
devices = ${join(directory, 'srv')}
mount_check = false
disable_fallocate = true
log_name = ${name}
log_level = WARNING
log_address = ${join(directory, 'no-syslog')}
`;
}

function storageServer(configuration: SwiftConfiguration, name: 'account' | 'container' | 'object', port: number): string {
  return `${server(configuration, name, port)}[pipeline:main]
pipeline = healthcheck ${name}-server
[app:${name}-server]
use = egg:swift#${name}
[filter:healthcheck]
use = egg:swift#healthcheck
[${name}-replicator]
[${name}-updater]
`;
}

function proxyServer(configuration: SwiftConfiguration): string {
  const { certificate, keystoneUrl, ports } = configuration;
  const tls = certificate ? `cert_file = ${certificate.cert}\nkey_file = ${certificate.key}\n` : '';
  const auth = keystoneUrl === undefined ? 'tempauth' : 'authtoken keystoneauth';
  return `${server(configuration, 'proxy', ports.proxy)}${tls}[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk ${auth} copy container_quotas slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${ports.memcached}
memcache_max_connections = 50
connect_timeout = 10
pool_timeout = 10
io_timeout = 10
error_suppression_limit = 1000000
${keystoneUrl === undefined ? tempAuth(certificate !== undefined, configuration.tokenSeconds) : keystoneAuth(keystoneUrl)}
${swiftFilters.map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join('')}`;
}

function tempAuth(isSecure: boolean, tokenSeconds: number): string {
  return `[filter:tempauth]
use = egg:swift#tempauth
token_life = ${tokenSeconds}
user_test_tester = testing .admin
user_test_tester2 = testing2
storage_url_scheme = ${isSecure ? 'https' : 'default'}
`;
}

function keystoneAuth(url: string): string {
  return `[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = ${url}/v3
auth_url = ${url}
auth_type = password
username = swift
password = swiftpass
project_name = service
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
cache = swift.cache
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
`;
}
