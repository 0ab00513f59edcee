import { stat } from 'node:fs/promises';
import type { Config, SiteConfig } from '../../config/load.ts';
import { type ConfigProblem, formatProblem } from '../../config/problem.ts';
import { messageOf } from '../../lib/errors.ts';
import type { StorageOptions } from '../../storage/options.ts';
import { octal, userName } from './file-access.ts';
import { about, type Finding, failure, note, ok, warning } from './finding.ts';

/** A file that holds secrets, or may. */
export interface SecretFile {
  readonly path: string;
  readonly mode: number;
  /** What is in it: `the password of a node`. Empty: nothing secret. */
  readonly secrets: readonly string[];
}

export interface RunningUser {
  readonly uid: number;
  readonly name: string;
  /** Of the data directories of active sites, as far as they can be looked at. */
  readonly owners: readonly { readonly uid: number; readonly name: string }[];
}

/** The file as a whole: what the loader says, who may read it, and who runs this. `problems`: what only the daemon would refuse. */
export async function checkConfiguration(config: Config, problems: readonly ConfigProblem[]): Promise<Finding[]> {
  const files = [await secretFile(config.file, secretsOf(config)), ...(await referencedFiles(config))];
  return [
    ...judgeLoading(config, problems),
    ...files.flatMap((file) => (file === undefined ? [] : [judgeSecretFile(file)])),
    judgeRunningUser(await runningUser(config), config.file),
  ];
}

export function judgeLoading(
  { file, warnings, backup_sites: sites }: Pick<Config, 'file' | 'warnings' | 'backup_sites'>,
  problems: readonly ConfigProblem[],
): Finding[] {
  const count = Object.keys(sites).length;
  const findings = [...judgeProblems(file, problems), ...warnings.map((text) => warning('settings', text, howToEdit(file)))];
  return findings.length > 0 ? findings : [ok('settings', `${count === 1 ? 'one site' : `${count} sites`}, nothing to complain about`)];
}

export function judgeProblems(file: string, problems: readonly ConfigProblem[]): Finding[] {
  return problems.map((problem) => failure('settings', formatProblem(problem), howToEdit(file)));
}

function howToEdit(file: string): string {
  return `edit ${file}; docs/config.md describes every key`;
}

export function judgeSecretFile({ path, mode, secrets }: SecretFile): Finding {
  const id = 'secrets';
  const held = secrets.length > 0 ? secrets.join(', ') : 'nothing secret';
  const text = `mode ${octal(mode)}, holds ${held}`;
  if (secrets.length === 0 || (mode & 0o077) === 0) return about(path, ok(id, text));
  const who = (mode & 0o007) !== 0 ? 'everybody on this host' : 'its group';
  const verdict = (mode & 0o007) !== 0 ? failure : warning;
  return about(path, verdict(id, `${text}, and is open to ${who}`, `chmod 600 ${path}`));
}

export function judgeRunningUser({ uid, name, owners }: RunningUser, configFile: string): Finding {
  const other = owners.find((owner) => owner.uid !== uid);
  if (other === undefined) return ok('user', `checked as ${name}${owners.length > 0 ? ', who owns the data directory' : ''}`);
  const as = `sudo -u ${other.name} pghoard check --config ${configFile}`;
  if (uid === 0)
    return note('user', `checked as ${name}, who may do everything; what the daemon may do is seen by running this as its user`, as);
  return warning('user', `checked as ${name}, but the data directory belongs to ${other.name}, as whom pghoard should run`, as);
}

/** What in the configuration is secret, in words. */
export function secretsOf(config: Config): string[] {
  const found = Object.values(config.backup_sites).flatMap((site) => [
    ...nodeSecrets(site),
    ...keySecrets(site),
    ...storeSecrets(site.object_storage),
  ]);
  return [...new Set([...found, ...(config.webserver_password === null ? [] : ['webserver_password'])])];
}

function nodeSecrets({ nodes }: SiteConfig): string[] {
  return nodes.some(({ conninfo }) => conninfo['password'] !== undefined || conninfo['sslpassword'] !== undefined)
    ? ['a password of "nodes"']
    : [];
}

function keySecrets({ encryption_keys: keys }: SiteConfig): string[] {
  return Object.values(keys ?? {}).some((pair) => pair.private !== null) ? ['a private key'] : [];
}

function storeSecrets(storage: StorageOptions): string[] {
  const names = [
    'aws_secret_access_key',
    'aws_session_token',
    'account_key',
    'sas_token',
    'connection_string',
    'key',
    'application_credential_secret',
    'password',
    'credentials',
  ];
  const given = storage as Readonly<Record<string, unknown>>;
  const proxy = given['proxy_info'] as { readonly pass?: string | null } | null | undefined;
  return [
    ...names.filter((name) => given[name] !== undefined && given[name] !== null),
    ...(proxy?.pass ? ['the password of a proxy'] : []),
  ];
}

async function referencedFiles({ backup_sites: sites }: Config): Promise<(SecretFile | undefined)[]> {
  const files = new Map<string, string>();
  for (const { object_storage: storage } of Object.values(sites)) {
    if (storage.storage_type === 'google' && storage.credential_file !== null)
      files.set(storage.credential_file, 'credentials of the store');
    if (storage.storage_type === 'sftp' && storage.private_key !== null) files.set(storage.private_key, 'the private key of the store');
  }
  return Promise.all([...files].map(([path, secret]) => secretFile(path, [secret])));
}

/** The loader has told where one cannot be read. */
async function secretFile(path: string, secrets: readonly string[]): Promise<SecretFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && { path, mode: found.mode, secrets };
}

async function runningUser(config: Config): Promise<RunningUser> {
  const uid = process.geteuid?.() ?? 0;
  const directories = Object.values(config.backup_sites).flatMap((site) => (site.active ? (site.pg_data_directory ?? []) : []));
  const found = await Promise.all(directories.map((directory) => stat(directory).catch((error: unknown) => messageOf(error))));
  const uids = [...new Set(found.flatMap((each) => (typeof each === 'string' ? [] : [each.uid])))];
  return {
    uid,
    name: await userName(uid),
    owners: await Promise.all(uids.map(async (owner) => ({ uid: owner, name: await userName(owner) }))),
  };
}
