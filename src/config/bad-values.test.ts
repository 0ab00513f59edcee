import { generateKeyPairSync } from 'node:crypto';
import { fileWith, localStore, siteWith, testBadConfigs } from './check-support.ts';

const publicKeyEncoding = { type: 'spki', format: 'pem' } as const;
const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const;
const rsaPair = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength, publicKeyEncoding, privateKeyEncoding });
const key = rsaPair(1024);
const otherKey = rsaPair(1024);
const shortKey = rsaPair(840);
const curveKey = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding, privateKeyEncoding });

const store = (object_storage: unknown) => siteWith({ object_storage });
const keys = (encryption_keys: unknown) => siteWith({ encryption_keys });

testBadConfigs([
  // Unknown keys
  { name: 'unknown global key', content: fileWith({ http_prot: 1 }), problems: ['http_prot: unknown key (did you mean "http_port"?)'] },
  { name: 'unknown key like no other', content: fileWith({ colour: 1 }), problems: ['colour: unknown key'] },
  {
    name: 'unknown site key',
    content: siteWith({ basebackup_cout: 1 }),
    problems: ['backup_sites.main.basebackup_cout: unknown key (did you mean "basebackup_count"?)'],
  },
  {
    name: 'global key in a site',
    content: siteWith({ compression: {} }),
    problems: ['backup_sites.main.compression: unknown key (it belongs to the top level of the file)'],
  },
  {
    name: 'site key at the top',
    content: fileWith({ basebackup_mode: 'pipe' }),
    problems: ['basebackup_mode: unknown key (it belongs to a site in "backup_sites")'],
  },
  {
    name: 'unknown nested key',
    content: fileWith({ compression: { algorithmus: 'zstd' } }),
    problems: ['compression.algorithmus: unknown key (did you mean "algorithm"?)'],
  },
  {
    name: 'unknown store key',
    content: store({ ...localStore, directoy: '/x' }),
    problems: ['backup_sites.main.object_storage.directoy: unknown key (did you mean "directory"?)'],
  },
  {
    name: 'unknown key beneath an old spelling',
    content: fileWith({ stats: { hots: 'x' } }),
    problems: ['statsd.hots: unknown key (did you mean "host"?)'],
  },
  {
    name: 'several unknown keys',
    content: fileWith({ http_prot: 1, log_levle: 'x' }),
    problems: ['http_prot: unknown key (did you mean "http_port"?)', 'log_levle: unknown key (did you mean "log_level"?)'],
  },

  // Types and ranges
  { name: 'number for text', content: fileWith({ backup_location: 5 }), problems: ['backup_location: must be text, is a number'] },
  { name: 'text for number', content: fileWith({ http_port: '16000' }), problems: ['http_port: must be a number, is text'] },
  { name: 'fraction for whole number', content: fileWith({ http_port: 1.5 }), problems: ['http_port: must be a whole number, is 1.5'] },
  { name: 'number too big', content: fileWith({ http_port: 70_000 }), problems: ['http_port: must be at most 65535'] },
  { name: 'number too small', content: fileWith({ restore_prefetch: -1 }), problems: ['restore_prefetch: must be at least 0'] },
  { name: 'zero threads', content: fileWith({ transfer: { thread_count: 0 } }), problems: ['transfer.thread_count: must be at least 1'] },
  {
    name: 'text for true or false',
    content: siteWith({ active: 'no' }),
    problems: ['backup_sites.main.active: must be true or false, is text'],
  },
  { name: 'list for object', content: fileWith({ backup_sites: [] }), problems: ['backup_sites: must be an object, is a list'] },
  { name: 'null for object', content: fileWith({ compression: null }), problems: ['compression: must be an object, is null'] },
  {
    name: 'site that is no object',
    content: fileWith({ backup_sites: { main: 'x' } }),
    problems: ['backup_sites.main: must be an object, is text'],
  },
  { name: 'object for list', content: siteWith({ nodes: {} }), problems: ['backup_sites.main.nodes: must be a list, is an object'] },
  { name: 'empty text', content: fileWith({ backup_location: '' }), problems: ['backup_location: must not be empty'] },
  {
    name: 'interval zero',
    content: siteWith({ basebackup_interval_hours: 0 }),
    problems: ['backup_sites.main.basebackup_interval_hours: must be more than 0'],
  },
  { name: 'hour 24', content: siteWith({ basebackup_hour: 24 }), problems: ['backup_sites.main.basebackup_hour: must be at most 23'] },
  {
    name: 'unknown choice',
    content: fileWith({ compression: { algorithm: 'snapy' } }),
    problems: ['compression.algorithm: must be one of "snappy", "lzma", "zstd", is "snapy" (did you mean "snappy"?)'],
  },
  {
    name: 'wrong type for a choice',
    content: siteWith({ basebackup_mode: 5 }),
    problems: [
      'backup_sites.main.basebackup_mode: must be one of "basic", "pipe", "stream", "local-tar", "delta", "local-tar-delta-stats", is a number',
    ],
  },
  {
    name: 'unknown hash',
    content: fileWith({ hash_algorithm: 'crc32' }),
    problems: [/^hash_algorithm: must be one of "md5", "sha1", .*, is "crc32"$/.source],
  },
  {
    name: 'prefix that climbs',
    content: siteWith({ prefix: 'a/../b' }),
    problems: ['backup_sites.main.prefix: must not have parts that begin with a dot'],
  },
  {
    name: 'prefix with a line break',
    content: siteWith({ prefix: 'a\nb' }),
    problems: ['backup_sites.main.prefix: must not contain control characters'],
  },
  {
    name: 'name of a site with a slash',
    content: fileWith({ backup_sites: { 'a/b': { object_storage: localStore } } }),
    problems: [/^backup_sites\["a\/b"\]: the name of a site must not/.source],
  },
  {
    name: 'empty name of a site',
    content: fileWith({ backup_sites: { '': { object_storage: localStore } } }),
    problems: [/^backup_sites\[""\]: the name of a site must not be empty/.source],
  },
  {
    name: 'name of a site that climbs',
    content: fileWith({ backup_sites: { '..': { object_storage: localStore } } }),
    problems: [/^backup_sites\["\.\."\]: the name of a site/.source],
  },

  // Nodes
  {
    name: 'node of a wrong type',
    content: siteWith({ nodes: [5] }),
    problems: ['backup_sites.main.nodes[0]: must be a connection string, a postgres:// URI, or an object of libpq parameters'],
  },
  {
    name: 'node with an unknown parameter',
    content: siteWith({ nodes: ['host=a', { hots: 'b' }] }),
    problems: ['backup_sites.main.nodes[1]: unknown connection parameter "hots" (did you mean "host"?)'],
  },
  {
    name: 'node with a bad URI',
    content: siteWith({ nodes: ['postgres://u:100%@h'] }),
    problems: [/^backup_sites\.main\.nodes\[0\]: connection URI: the password has a "%"/.source],
  },

  // Keys
  {
    name: 'key id without keys',
    content: siteWith({ encryption_key_id: 'k' }),
    problems: ['backup_sites.main.encryption_key_id: there is no key "k" in encryption_keys'],
  },
  {
    name: 'key id misspelt',
    content: siteWith({ encryption_key_id: 'mian', encryption_keys: { main: { public: key.publicKey } } }),
    problems: ['backup_sites.main.encryption_key_id: there is no key "mian" in encryption_keys (did you mean "main"?)'],
  },
  {
    name: 'key that is no PEM',
    content: keys({ k: { public: 'x' } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.public: .*not a key in PEM format/.source],
  },
  {
    name: 'key cut short',
    content: keys({ k: { private: key.privateKey.slice(0, 200) } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.private: .*not a key in PEM format/.source],
  },
  {
    name: 'private key as public',
    content: keys({ k: { public: key.privateKey } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.public: .*it is a private key/.source],
  },
  {
    name: 'public key as private',
    content: keys({ k: { private: key.publicKey } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.private: the private/.source],
  },
  {
    name: 'key of another kind',
    content: keys({ k: { public: curveKey.publicKey } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.public: .*not for RSA/.source],
  },
  {
    name: 'key too short',
    content: keys({ k: { public: shortKey.publicKey } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.public: .*840 bits are too few/.source],
  },
  {
    name: 'halves of two keys',
    content: keys({ k: { public: key.publicKey, private: otherKey.privateKey } }),
    problems: [/^backup_sites\.main\.encryption_keys\.k\.public: .*does not belong to the private key/.source],
  },
  {
    name: 'key with a third half',
    content: keys({ k: { publick: 'x' } }),
    problems: ['backup_sites.main.encryption_keys.k.publick: unknown key (did you mean "public"?)'],
  },
]);
