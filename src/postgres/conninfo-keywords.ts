import { didYouMean } from '../lib/did-you-mean.ts';
import { OperatorError } from '../lib/errors.ts';

/** Connection parameters by libpq keyword. Several hosts are comma lists in `host`, `hostaddr` and `port`. */
export type ConnInfo = Readonly<Record<string, string>>;

/** Every keyword of libpq up to PostgreSQL 18, with the environment variable that gives its default. */
export const conninfoKeywords: Readonly<Record<string, string | undefined>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  service: 'PGSERVICE',
  servicefile: 'PGSERVICEFILE',
  require_auth: 'PGREQUIREAUTH',
  channel_binding: 'PGCHANNELBINDING',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  client_encoding: 'PGCLIENTENCODING',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  fallback_application_name: undefined,
  keepalives: undefined,
  keepalives_idle: undefined,
  keepalives_interval: undefined,
  keepalives_count: undefined,
  tcp_user_timeout: undefined,
  replication: undefined,
  gssencmode: 'PGGSSENCMODE',
  sslmode: 'PGSSLMODE',
  requiressl: 'PGREQUIRESSL',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslcompression: 'PGSSLCOMPRESSION',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: undefined,
  sslcertmode: 'PGSSLCERTMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcrl: 'PGSSLCRL',
  sslcrldir: 'PGSSLCRLDIR',
  sslsni: 'PGSSLSNI',
  sslkeylogfile: undefined,
  requirepeer: 'PGREQUIREPEER',
  min_protocol_version: 'PGMINPROTOCOLVERSION',
  max_protocol_version: 'PGMAXPROTOCOLVERSION',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  krbsrvname: 'PGKRBSRVNAME',
  gsslib: 'PGGSSLIB',
  gssdelegation: 'PGGSSDELEGATION',
  scram_client_key: undefined,
  scram_server_key: undefined,
  oauth_issuer: undefined,
  oauth_client_id: undefined,
  oauth_client_secret: undefined,
  oauth_scope: undefined,
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
};

/** Keywords whose values must not be shown. */
export const secretKeywords: readonly string[] = ['password', 'sslpassword', 'oauth_client_secret', 'scram_client_key', 'scram_server_key'];

export function conninfoError(message: string, hint?: string): OperatorError {
  return new OperatorError('conninfo-invalid', message, hint === undefined ? {} : { hint });
}

/** Throws for keywords that libpq does not have. */
export function checkKeywords(info: ConnInfo): ConnInfo {
  for (const keyword of Object.keys(info)) {
    if (!Object.hasOwn(conninfoKeywords, keyword)) {
      throw conninfoError(`unknown connection parameter "${keyword}"${didYouMean(keyword, Object.keys(conninfoKeywords))}`);
    }
  }
  return info;
}
