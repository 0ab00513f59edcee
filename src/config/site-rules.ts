import { didYouMean } from '../lib/did-you-mean.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { JsonPath } from './json.ts';
import type { SiteOptions } from './schema.ts';
import { missingForSwiftLogin } from './swift-login.ts';

/** What the rules tell: `problem` refuses the configuration, `warning` does not. Paths are those of the file. */
export interface Verdicts {
  readonly problem: (path: JsonPath, message: string) => void;
  readonly warning: (path: JsonPath, message: string) => void;
}

export interface SiteInFile {
  readonly name: string;
  /** With defaults in place of bad values. */
  readonly options: SiteOptions;
  /** Keys whose value has been refused. */
  readonly bad: ReadonlySet<string>;
  /** Whether a key is written in the file. */
  readonly isGiven: (key: keyof SiteOptions) => boolean;
}

type Problem = (path: JsonPath, message: string) => void;

/** A rule between keys of one site. It is only asked where the values of all of them could be read. */
interface SiteRule {
  readonly about: readonly (keyof SiteOptions)[];
  readonly check: (site: SiteInFile, problem: Problem) => void;
}

const rules: readonly SiteRule[] = [
  { about: ['basebackup_hour', 'basebackup_minute', 'basebackup_interval_hours'], check: checkSchedule },
  { about: ['basebackup_count', 'basebackup_count_min'], check: checkCounts },
  { about: ['keep'], check: checkKeep },
  { about: ['basebackup_format', 'basebackup_mode'], check: checkFormat },
  { about: ['basebackup_bytes_per_second_max', 'basebackup_mode'], check: checkRate },
  { about: ['active', 'active_backup_mode', 'basebackup_mode'], check: checkWal },
  { about: ['active_backup_mode', 'wal_durability'], check: checkDurability },
  { about: ['encryption_key_id', 'encryption_keys'], check: checkKeyId },
  { about: ['object_storage'], check: checkStorage },
];

const rulesOfDaemon: readonly SiteRule[] = [
  { about: ['encryption_key_id', 'encryption_keys'], check: checkPublicKeyIsThere },
  { about: ['pg_data_directory', 'active_backup_mode', 'basebackup_mode'], check: checkDataDirectory },
  {
    about: ['nodes'],
    check: ({ options }, problem) => {
      if (options.nodes.length === 0) problem(['nodes'], 'names no server; the daemon needs one for an active site');
    },
  },
];

/** Rules between the keys of one site that no type can hold. */
export function checkSite(site: SiteInFile, forDaemon: boolean, verdicts: Verdicts): void {
  const path: JsonPath = ['backup_sites', site.name];
  const problem: Problem = (below, message) => verdicts.problem([...path, ...below], message);
  if (!isSiteName(site.name))
    problem([], 'the name of a site must not be empty, begin with a dot, or contain slashes or control characters');
  const needed = forDaemon && site.options.active && !site.bad.has('active');
  for (const rule of needed ? [...rules, ...rulesOfDaemon] : rules) {
    if (!rule.about.some((key) => site.bad.has(key))) rule.check(site, problem);
  }
}

/** The name is a directory in the spool and a part of URLs. */
export function isSiteName(name: string): boolean {
  return name !== '' && !/[/\p{Cc}]/u.test(name) && !name.startsWith('.') && name !== '__proto__';
}

function checkSchedule({ options }: SiteInFile, problem: Problem): void {
  const { basebackup_hour: hour, basebackup_minute: minute, basebackup_interval_hours: interval } = options;
  if (hour === null && minute !== null) problem(['basebackup_minute'], 'is without meaning where basebackup_hour is not set');
  if (hour !== null && interval === null) {
    problem(['basebackup_hour'], 'contradicts basebackup_interval_hours null, by which no base backup is taken by itself');
  }
}

/** The default of one against the value of the other is no contradiction. */
function checkCounts({ options, isGiven }: SiteInFile, problem: Problem): void {
  const { basebackup_count: count, basebackup_count_min: min } = options;
  if (!isGiven('basebackup_count_min') || count === null || count === undefined) return;
  if (min > count) problem(['basebackup_count_min'], `is ${min}, more than basebackup_count ${count} ever keeps`);
}

/** Whoever writes that wants something kept. */
function checkKeep({ options: { keep } }: SiteInFile, problem: Problem): void {
  if (keep === null || Object.values(keep).some((periods) => periods > 0)) return;
  problem(['keep'], 'keeps nothing: give daily, weekly, monthly or yearly a number above 0, or leave it out');
}

function checkFormat({ options }: SiteInFile, problem: Problem): void {
  const { basebackup_mode: mode, basebackup_format: format } = options;
  if (format === 'pghoard-bb-v1' && mode !== 'local-tar') {
    problem(['basebackup_format'], `"${format}" goes with basebackup_mode "local-tar" only, not with "${mode}"`);
  }
}

/** One whose base backups and WAL both come over the replication protocol may be on any host. */
function checkDataDirectory({ options }: SiteInFile, problem: Problem): void {
  const { pg_data_directory: directory, active_backup_mode: wal, basebackup_mode: mode } = options;
  if (directory !== null || (mode === 'stream' && wal !== 'archive_command')) return;
  problem(['pg_data_directory'], 'is missing; the daemon needs it for an active site');
}

function checkRate({ options }: SiteInFile, problem: Problem): void {
  const { basebackup_mode: mode, basebackup_bytes_per_second_max: rate } = options;
  if (rate === null || mode === 'stream') return;
  problem(['basebackup_bytes_per_second_max'], `goes with basebackup_mode "stream" only, not with "${mode}"`);
}

function checkWal({ options }: SiteInFile, problem: Problem): void {
  const { basebackup_mode: mode, active_backup_mode: wal } = options;
  if (!options.active || wal !== 'standalone_hot_backup' || mode === 'basic' || mode === 'pipe') return;
  const why = `backups of mode "${mode}" carry no WAL and could not be restored`;
  problem(['active_backup_mode'], `"${wal}" needs basebackup_mode "basic" or "pipe": ${why}`);
}

/** Whoever asks for that must not be told by another mode that commits are safe. */
function checkDurability({ options }: SiteInFile, problem: Problem): void {
  const { active_backup_mode: mode, wal_durability: durability } = options;
  if (durability === 'store' && mode !== 'walreceiver') {
    problem(['wal_durability'], `"store" needs active_backup_mode "walreceiver": only that tells the server what is stored`);
  }
}

function checkKeyId({ options }: SiteInFile, problem: Problem): void {
  const { encryption_key_id: id, encryption_keys: keys } = options;
  const known = Object.keys(keys ?? {});
  if (id === null || known.includes(id)) return;
  problem(['encryption_key_id'], `there is no key "${id}" in encryption_keys${didYouMean(id, known)}`);
}

function checkPublicKeyIsThere({ options }: SiteInFile, problem: Problem): void {
  const { encryption_key_id: id, encryption_keys: keys } = options;
  if (id === null || keys?.[id]?.public !== null) return;
  problem(['encryption_keys', id, 'public'], 'is missing, but encryption_key_id asks for encryption with it');
}

function checkStorage({ options }: SiteInFile, problem: Problem): void {
  if (options.object_storage === null) return;
  for (const [key, message] of storageContradictions(options.object_storage)) problem(['object_storage', key], message);
}

function storageContradictions(storage: StorageOptions): (readonly [key: string, message: string])[] {
  switch (storage.storage_type) {
    case 's3':
      return [
        ...((storage.aws_access_key_id === null) === (storage.aws_secret_access_key === null)
          ? []
          : [['aws_access_key_id', 'and aws_secret_access_key go together: give both or neither'] as const]),
        ...portWithoutHost(storage),
      ];
    case 'azure':
      return [
        ...(storage.account_name === null && storage.connection_string === null
          ? [['account_name', 'is missing: give it or connection_string'] as const]
          : []),
        ...(storage.connection_string !== null && (storage.account_key !== null || storage.sas_token !== null)
          ? [['connection_string', 'says how to log in: give it alone, without account_key and sas_token'] as const]
          : []),
        ...portWithoutHost(storage),
      ];
    case 'google':
      return storage.credential_file === null || storage.credentials === null
        ? []
        : [['credentials', 'and credential_file exclude each other']];
    case 'sftp':
      return storage.password === null && storage.private_key === null && !process.env['SSH_AUTH_SOCK']
        ? [['password', 'is missing: give it or private_key, or set SSH_AUTH_SOCK for an ssh-agent']]
        : [];
    case 'swift':
      return missingForSwiftLogin(storage);
    case 'local':
      return [];
  }
}

function portWithoutHost({ host, port }: { readonly host: string | null; readonly port: number | null }) {
  return port !== null && (host ?? '') === '' ? [['port', 'is without meaning where host is not set'] as const] : [];
}
