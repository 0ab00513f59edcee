import { generateKeyPairSync } from 'node:crypto';
import { fileWith, localStore, sitesWith, siteWith, testBadConfigs } from './check-support.ts';

delete process.env['SSH_AUTH_SOCK'];

const s3 = { storage_type: 's3', bucket_name: 'b' };
const store = (object_storage: unknown) => siteWith({ object_storage });
const key = generateKeyPairSync('rsa', {
  modulusLength: 1024,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

testBadConfigs([
  // Stores
  {
    name: 'no storage_type',
    content: store({ directory: '/x' }),
    problems: ['backup_sites.main.object_storage.storage_type: is missing: one of local, s3, google, azure, swift, sftp'],
  },
  {
    name: 'unknown storage_type',
    content: store({ storage_type: 's4' }),
    problems: [
      'backup_sites.main.object_storage.storage_type: unsupported storage type "s4", must be one of local, s3, google, azure, swift, sftp (did you mean "s3"?)',
    ],
  },
  {
    name: 'storage_type of a wrong type',
    content: store({ storage_type: 3 }),
    problems: ['backup_sites.main.object_storage.storage_type: must be one of local, s3, google, azure, swift, sftp'],
  },
  { name: 'no directory', content: store({ storage_type: 'local' }), problems: ['backup_sites.main.object_storage.directory: is missing'] },
  {
    name: 'half of the credentials',
    content: store({ ...s3, aws_access_key_id: 'a' }),
    problems: ['backup_sites.main.object_storage.aws_access_key_id: and aws_secret_access_key go together: give both or neither'],
  },
  {
    name: 'port without host',
    content: store({ ...s3, port: 1 }),
    problems: ['backup_sites.main.object_storage.port: is without meaning where host is not set'],
  },
  {
    name: 'no account for azure',
    content: store({ storage_type: 'azure', account_key: 'k', bucket_name: 'b' }),
    problems: ['backup_sites.main.object_storage.account_name: is missing: give it or connection_string'],
  },
  {
    name: 'two credentials for azure',
    content: store({ storage_type: 'azure', connection_string: 's', account_key: 'k', bucket_name: 'b' }),
    problems: ['backup_sites.main.object_storage.connection_string: says how to log in: give it alone, without account_key and sas_token'],
  },
  {
    name: 'two credentials for google',
    content: store({ storage_type: 'google', bucket_name: 'b', credential_file: '/x', credentials: { type: 'service_account' } }),
    problems: ['backup_sites.main.object_storage.credentials: and credential_file exclude each other'],
  },
  {
    name: 'no credentials for sftp',
    content: store({ storage_type: 'sftp', server: 's', username: 'u' }),
    problems: ['backup_sites.main.object_storage.password: is missing: give it or private_key, or set SSH_AUTH_SOCK for an ssh-agent'],
  },
  {
    name: 'notifier with a bad URL',
    content: store({ ...localStore, notifier: { notifier_type: 'http', url: 'ftp://x' } }),
    problems: ['backup_sites.main.object_storage.notifier.url: must be a URL beginning with http:// or https://'],
  },
  {
    name: 'bad version of swift',
    content: store({ storage_type: 'swift', user: 'u', key: 'k', auth_url: 'http://a', container_name: 'c', auth_version: 4 }),
    problems: ['backup_sites.main.object_storage.auth_version: must be one of 1, 2, 3, is a number'],
  },
  {
    name: 'nobody to log in to swift as',
    content: store({ storage_type: 'swift', auth_url: 'http://a', container_name: 'c', auth_version: 1 }),
    problems: ['backup_sites.main.object_storage.user: is missing', 'backup_sites.main.object_storage.key: is missing'],
  },
  {
    name: 'no tenant for swift',
    content: store({ storage_type: 'swift', user: 'u', key: 'k', auth_url: 'http://a', container_name: 'c' }),
    problems: ['backup_sites.main.object_storage.tenant_name: is missing: auth_version 2 needs it, or tenant_id'],
  },
  {
    name: 'no project for swift',
    content: store({ storage_type: 'swift', user_id: 'u', key: 'k', auth_url: 'http://a', container_name: 'c', auth_version: 3 }),
    problems: ['backup_sites.main.object_storage.project_name: is missing: auth_version 3 needs it, or project_id'],
  },
  {
    name: 'an application credential for swift without its secret',
    content: store({
      storage_type: 'swift',
      application_credential_id: 'i',
      auth_url: 'http://a',
      container_name: 'c',
      auth_version: 3,
    }),
    problems: ['backup_sites.main.object_storage.application_credential_secret: is missing: it goes with application_credential_id'],
  },
  {
    name: 'an application credential for a login that knows none',
    content: store({ storage_type: 'swift', application_credential_id: 'i', auth_url: 'http://a', container_name: 'c' }),
    problems: ['backup_sites.main.object_storage.application_credential_id: needs "auth_version": 3'],
  },
  {
    name: 'store in the spool',
    content: store({ ...localStore, directory: '/spool' }),
    problems: [
      'backup_sites.main.object_storage.directory: is the same directory as backup_location, where objects only wait for their upload',
    ],
  },
  {
    name: 'store in the spool by its prefix',
    content: store({ ...localStore, directory: '/', prefix: '/spool/' }),
    problems: [
      'backup_sites.main.object_storage.directory: is the same directory as backup_location, where objects only wait for their upload',
    ],
  },
  {
    name: 'store in the spool of a site',
    content: store({ ...localStore, directory: '/spool/main' }),
    problems: ['backup_sites.main.object_storage.directory: lies where objects of site "main" wait for their upload (/spool/main)'],
  },
  { name: 'store around the spool', content: siteWith({ prefix: 'x', object_storage: { ...localStore, directory: '/' } }), problems: [] },
  { name: 'store beside the spools of sites', content: store({ ...localStore, directory: '/spool/store' }), problems: [] },
  {
    name: 'neither store nor spool',
    content: { backup_sites: { main: {} } },
    problems: ['backup_sites.main.object_storage: is missing, and so is backup_location'],
  },

  // Contradictions
  {
    name: 'user without password',
    content: fileWith({ webserver_username: 'u' }),
    problems: ['webserver_username: needs webserver_password'],
  },
  {
    name: 'password without user',
    content: fileWith({ webserver_password: 'u' }),
    problems: ['webserver_password: needs webserver_username'],
  },
  {
    name: 'level of lzma',
    content: fileWith({ compression: { algorithm: 'lzma', level: 10 } }),
    problems: ['compression.level: is 10, but lzma has levels 0 to 9'],
  },
  { name: 'extreme level of lzma', content: fileWith({ compression: { algorithm: 'lzma', level: 0x8000_0006 } }), problems: [] },
  {
    name: 'level of zstd',
    content: fileWith({ compression: { algorithm: 'zstd', level: 23 } }),
    problems: ['compression.level: is 23, but zstd has levels 0 (meaning 3) to 22'],
  },
  {
    name: 'negative level',
    content: fileWith({ compression: { algorithm: 'zstd', level: -1 } }),
    problems: ['compression.level: must be at least 0'],
  },
  {
    name: 'state in the maintenance file',
    content: fileWith({ json_state_file_path: '/x', maintenance_mode_file: '/y/../x' }),
    problems: [/^maintenance_mode_file: is the same file as json_state_file_path/.source],
  },
  {
    name: 'minute without hour',
    content: siteWith({ basebackup_minute: 3 }),
    problems: ['backup_sites.main.basebackup_minute: is without meaning where basebackup_hour is not set'],
  },
  {
    name: 'hour without interval',
    content: siteWith({ basebackup_hour: 3, basebackup_interval_hours: null }),
    problems: [/^backup_sites\.main\.basebackup_hour: contradicts basebackup_interval_hours null/.source],
  },
  {
    name: 'minimum above count',
    content: siteWith({ basebackup_count: 2, basebackup_count_min: 3 }),
    problems: ['backup_sites.main.basebackup_count_min: is 3, more than basebackup_count 2 ever keeps'],
  },
  { name: 'count below the default minimum', content: siteWith({ basebackup_count: 1 }), problems: [] },
  { name: 'minimum without limit by count', content: siteWith({ basebackup_count: null, basebackup_count_min: 9 }), problems: [] },
  {
    name: 'old format of another mode',
    content: siteWith({ basebackup_format: 'pghoard-bb-v1' }),
    problems: ['backup_sites.main.basebackup_format: "pghoard-bb-v1" goes with basebackup_mode "local-tar" only, not with "basic"'],
  },
  {
    name: 'rate of another mode',
    content: siteWith({ basebackup_bytes_per_second_max: 1_000_000, basebackup_mode: 'pipe' }),
    problems: ['backup_sites.main.basebackup_bytes_per_second_max: goes with basebackup_mode "stream" only, not with "pipe"'],
  },
  { name: 'rate of its mode', content: siteWith({ basebackup_bytes_per_second_max: 1_000_000, basebackup_mode: 'stream' }), problems: [] },
  { name: 'old format of its mode', content: siteWith({ basebackup_format: 'pghoard-bb-v1', basebackup_mode: 'local-tar' }), problems: [] },
  {
    name: 'backups that cannot be restored',
    content: siteWith({ active: true, active_backup_mode: 'standalone_hot_backup', basebackup_mode: 'local-tar' }),
    problems: [/^backup_sites\.main\.active_backup_mode: "standalone_hot_backup" needs basebackup_mode "basic" or "pipe"/.source],
  },
  {
    name: 'WAL that nobody tells the server to be stored',
    content: siteWith({ active_backup_mode: 'archive_command', wal_durability: 'store' }),
    problems: [
      'backup_sites.main.wal_durability: "store" needs active_backup_mode "walreceiver": only that tells the server what is stored',
    ],
  },
  {
    name: 'moved from nowhere',
    content: sitesWith({ a: {}, b: { moved_from: ['aa'] } }),
    problems: ['backup_sites.b.moved_from[0]: there is no site "aa" (did you mean "a"?)'],
  },
  {
    name: 'moved from itself',
    content: sitesWith({ a: { moved_from: ['a'] } }),
    problems: ['backup_sites.a.moved_from[0]: a site cannot have moved from itself'],
  },
  {
    name: 'two sites of one prefix',
    content: sitesWith({ a: {}, b: { prefix: 'a' } }),
    problems: ['backup_sites.b.prefix: is "a", the same as that of site "a": their backups would be mixed up'],
  },
  { name: 'two sites of one prefix, one inactive', content: sitesWith({ a: {}, b: { prefix: 'a', active: false } }), problems: [] },
  {
    name: 'a site within another',
    content: sitesWith({ a: {}, b: { prefix: 'a/xlog' } }),
    problems: ['backup_sites.b.prefix: "a/xlog" and "a" of site "a" lie within each other'],
  },
  { name: 'a site below another', content: sitesWith({ a: {}, b: { prefix: 'a/b' } }), problems: [] },
  {
    name: 'a site within one without prefix',
    content: sitesWith({ a: { prefix: '' }, b: { prefix: 'xlog/x' } }),
    problems: ['backup_sites.b.prefix: "xlog/x" and "" of site "a" lie within each other'],
  },
  {
    name: 'two ways to one place',
    content: sitesWith({ a: { prefix: 'p/q', object_storage: s3 }, b: { prefix: 'q', object_storage: { ...s3, prefix: 'p/' } } }),
    problems: ['backup_sites.b.prefix: leads to the same place in the same store as that of site "a": their backups would be mixed up'],
  },

  // What the daemon needs
  { name: 'no spool', forDaemon: true, content: {}, problems: ['backup_location: is missing; objects wait there for their upload'] },
  {
    name: 'nothing to back up from',
    forDaemon: true,
    content: sitesWith({ main: {} }),
    problems: [
      'backup_sites.main.pg_data_directory: is missing; the daemon needs it for an active site',
      'backup_sites.main.nodes: names no server; the daemon needs one for an active site',
    ],
  },
  {
    name: 'all over the network',
    forDaemon: true,
    content: sitesWith({ main: { nodes: ['host=h'], basebackup_mode: 'stream', active_backup_mode: 'walreceiver' } }),
    problems: [],
  },
  {
    name: 'WAL from the data directory',
    forDaemon: true,
    content: sitesWith({ main: { nodes: ['host=h'], basebackup_mode: 'stream', active_backup_mode: 'archive_command' } }),
    problems: ['backup_sites.main.pg_data_directory: is missing; the daemon needs it for an active site'],
  },
  { name: 'the same, inactive', forDaemon: true, content: sitesWith({ main: { active: false } }), problems: [] },
  {
    name: 'only the private key',
    forDaemon: true,
    content: sitesWith({
      main: { nodes: ['host=h'], pg_data_directory: '/data', encryption_key_id: 'k', encryption_keys: { k: { private: key.privateKey } } },
    }),
    problems: ['backup_sites.main.encryption_keys.k.public: is missing, but encryption_key_id asks for encryption with it'],
  },
  {
    name: 'all that is needed',
    forDaemon: true,
    content: sitesWith({ main: { nodes: ['host=h'], pg_data_directory: '/does/not/exist' } }),
    problems: [],
  },
]);
