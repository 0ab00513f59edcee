import { type Log, silentLog } from '../lib/log.ts';
import { logObserver } from './log-observer.ts';
import { Notifier } from './notifier.ts';
import type { ObjectStore } from './object-store.ts';
import { openNowOrLater } from './open-later.ts';
import type { StorageOptions } from './options.ts';
import type { RequestObserver } from './request-observer.ts';
import { statsdObserver } from './statsd-observer.ts';
import { withKeyChecks } from './with-key-checks.ts';
import { withLimit } from './with-limit.ts';
import { withObservers } from './with-observers.ts';
import { withParallelRanges } from './with-parallel-ranges.ts';
import { normaliseStorePrefix, withPrefix } from './with-prefix.ts';
import { withRetry } from './with-retry.ts';

/** Requests to one store at once, of one thread. */
const requestsMax = 32;

type StorageType = StorageOptions['storage_type'];
type OptionsOf<T extends StorageType> = Extract<StorageOptions, { storage_type: T }>;

interface Driver {
  /** What the store is called, whether or not it can be opened. */
  readonly name: string;
  /** Rejects where a file that the options name cannot be used. */
  readonly open: () => ObjectStore | Promise<ObjectStore>;
}

type LoadDriver<T extends StorageType> = (options: OptionsOf<T>, log: Log) => Promise<Driver>;

/** A driver and its libraries are loaded only if the config names it. */
const drivers: { readonly [T in StorageType]: LoadDriver<T> } = {
  local: async ({ directory }) => {
    const { LocalStore } = await import('./local/driver.ts');
    return opened(new LocalStore({ directory }));
  },
  azure: async (options) => {
    const { azureStoreName, openAzureStore } = await import('./azure/driver.ts');
    return { name: azureStoreName(options), open: () => openAzureStore(options) };
  },
  google: async (options) => {
    const { GoogleStore, googleStoreName } = await import('./google/driver.ts');
    return { name: googleStoreName(options), open: () => GoogleStore.open(options) };
  },
  swift: async (options) => {
    const { openSwiftStore, swiftStoreName } = await import('./swift/driver.ts');
    return { name: swiftStoreName(options), open: () => openSwiftStore(options) };
  },
  s3: async (options) => {
    const { openS3Store, s3StoreName } = await import('./s3/driver.ts');
    return { name: s3StoreName(options.bucket_name), open: () => openS3Store(options) };
  },
  sftp: async (storage, log) => {
    const { SftpStore } = await import('./sftp/driver.ts');
    return opened(new SftpStore({ storage, ...(log !== silentLog && { warn: (message: string) => log.warn({}, message) }) }));
  },
};

/**
 * The store a config describes, with all layers around its driver. From the inside: keys get the prefix and are checked; observers hear of every request; only so many
 * run at once; what fails for now is repeated; large objects of stores that are not local are read in parallel ranges, each of which is a request of its own for all
 * layers below. The options are plain data, so that a worker thread can open it too. `log` hears of every request at DEBUG, `others` hear of it beside those that the options name.
 */
export async function openStore(
  options: StorageOptions,
  log: Log = silentLog,
  others: readonly RequestObserver[] = [],
): Promise<ObjectStore> {
  const store = await (await driverOf(options, log)).open();
  return layered(store, options, log, others);
}

/** The same for who goes on without it: where it cannot be opened yet, each request tries that again, and rejects with the reason. */
export async function openStoreOrLater(options: StorageOptions, log: Log, others: readonly RequestObserver[]): Promise<ObjectStore> {
  const { name, open } = await driverOf(options, log);
  return layered(await openNowOrLater(name, open), options, log, others);
}

function driverOf(options: StorageOptions, log: Log): Promise<Driver> {
  return (drivers[options.storage_type] as LoadDriver<StorageType>)(options, log);
}

function opened(store: ObjectStore): Driver {
  return { name: store.name, open: () => store };
}

function layered(store: ObjectStore, options: StorageOptions, log: Log, others: readonly RequestObserver[]): ObjectStore {
  const named = withKeyChecks(withPrefix(store, storePrefixOf(options)));
  const observed = withObservers(named, [...observersOf(options, named.name, log), ...others]);
  const patient = withRetry(withLimit(observed, requestsMax));
  return options.storage_type === 'local' ? patient : withParallelRanges(patient);
}

/**
 * Where a store is a directory tree on a server, the directories stay when the objects in them are deleted. This removes those below `prefix`, which nobody else
 * may be using, if nothing is in them.
 */
export async function removeEmptyDirectories(options: StorageOptions, prefix: string, signal: AbortSignal): Promise<void> {
  if (options.storage_type !== 'sftp') return;
  const { SftpStore } = await import('./sftp/driver.ts');
  const store = new SftpStore({ storage: options });
  try {
    await store.removeEmptyDirectories(storePrefixOf(options) + prefix, { signal });
  } finally {
    await store.close();
  }
}

function observersOf({ statsd_info: statsd, notifier }: StorageOptions, name: string, log: Log): RequestObserver[] {
  const observers = [logObserver(log, name)];
  const counting = statsd ? statsdObserver(statsd) : undefined;
  if (counting) observers.push(counting);
  if (notifier) observers.push(new Notifier({ url: notifier.url, log }));
  return observers;
}

/** On Google and Swift the prefix stands before keys to the letter, slashes included; for the others, as in the original, one at the beginning means nothing. */
export function storePrefixOf({ storage_type, prefix }: StorageOptions): string {
  if (storage_type === 'google' || storage_type === 'swift') return prefix ?? '';
  return normaliseStorePrefix(prefix ?? '').replace(/^\/+/, '');
}
