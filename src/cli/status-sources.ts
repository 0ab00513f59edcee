import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import type { Config, SiteConfig } from '../config/config.ts';
import { type HealthDocument, healthDocument } from '../daemon/health/health-document.ts';
import { readStateFile } from '../daemon/state-file.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { openStore } from '../storage/drivers.ts';
import { DaemonClient, daemonAddressOf } from './daemon-client.ts';
import type { DaemonStatus, SiteStatus, StatusReport, StoredBackups } from './status-report.ts';

export interface StatusDeps {
  readonly config: Config;
  readonly sites: readonly SiteConfig[];
  readonly version: string;
  /** Whether the stores are looked into where no daemon answers, which may take a while. */
  readonly looksIntoStores: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Monitoring waits for ten seconds, as a rule. */
const daemonMsMax = 8_000;
const storeMsMax = 20_000;

/** Asks the daemon; where none answers, the state file and the stores. Rejects only when aborted. */
export async function findStatus(deps: StatusDeps): Promise<StatusReport> {
  const { config, sites, version, clock } = deps;
  const about = { config: config.file, version, at: clock.now() };
  try {
    const told = await askDaemon(deps);
    return { ...about, ...told };
  } catch (error) {
    deps.signal.throwIfAborted();
    if (!isOperatorError(error)) throw error;
    const daemon: DaemonStatus = { answers: false, because: messageOf(error) };
    const state = await readStateFile(config.json_state_file_path).catch(() => undefined);
    const found = await Promise.all(sites.map((site) => withoutDaemon(site, healthIn(state, site.name), daemon.because, deps)));
    return { ...about, daemon, sites: found };
  }
}

async function askDaemon({ config, sites, signal }: StatusDeps): Promise<Pick<StatusReport, 'daemon' | 'sites'>> {
  if (config.http_port === 0) throw new OperatorError('daemon-unreachable', 'http_port is 0: nobody knows where the daemon listens');
  const within = AbortSignal.any([signal, AbortSignal.timeout(daemonMsMax)]);
  const client = new DaemonClient(daemonAddressOf(config), within);
  const asked = await orTimeout(client, within, signal, () => Promise.all(sites.map((site) => askAbout(site.name, client))));
  return { daemon: { answers: true, because: `${client.name} answers` }, sites: asked };
}

async function orTimeout<T>(client: DaemonClient, within: AbortSignal, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (!within.aborted) throw error;
    throw new OperatorError('daemon-unreachable', `${client.name} did not answer within ${daemonMsMax / 1000} s`);
  }
}

async function askAbout(site: string, client: DaemonClient): Promise<SiteStatus> {
  const answer = await client.ask('GET', site, 'status');
  if (!answer.isFromPghoard) throw client.strangerError('tell how it is', answer);
  if (answer.status === 404) return unknownSite(site, 'the daemon does not know this site: it runs with another configuration');
  if (answer.status !== 200) return unknownSite(site, messageOf(client.refusal('tell how it is', answer)));
  const health = parseHealth(answer.text);
  if (health === undefined) return unknownSite(site, `${client.name} gave an answer that this version does not understand`);
  return { site, verdict: health.verdict, health, source: 'daemon', store: undefined };
}

function unknownSite(site: string, because: string): SiteStatus {
  return { site, verdict: { is: 'unknown', because: [because] }, health: undefined, source: 'nothing', store: undefined };
}

async function withoutDaemon(
  site: SiteConfig,
  health: HealthDocument | undefined,
  because: string,
  { signal, looksIntoStores }: StatusDeps,
): Promise<SiteStatus> {
  const verdict = site.active
    ? ({ is: 'unknown', because: [because] } as const)
    : ({ is: 'inactive', because: ['the site is not active'] } as const);
  const store = looksIntoStores ? await lookIntoStore(site, signal) : undefined;
  return {
    site: site.name,
    verdict: { ...verdict, because: [...verdict.because] },
    health,
    source: health === undefined ? 'nothing' : 'state-file',
    store,
  };
}

async function lookIntoStore({ object_storage, prefix }: SiteConfig, signal: AbortSignal): Promise<StoredBackups> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(storeMsMax)]);
  try {
    const store = await openStore(object_storage);
    try {
      const { entries } = await new Catalog(store, new SiteKeys(prefix)).basebackups(within);
      const newest = entries.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime()).at(-1);
      const told = newest && { name: newest.name, at: newest.endTime ?? newest.startTime, bytes: newest.storedSize };
      return { count: entries.length, newest: told };
    } finally {
      await store.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    return { because: within.aborted ? `the store did not answer within ${storeMsMax / 1000} s` : messageOf(error) };
  }
}

function healthIn(state: Record<string, unknown> | undefined, site: string): HealthDocument | undefined {
  const ours = state?.['pghoard'] as { sites?: Record<string, { health?: unknown } | undefined> } | undefined;
  return healthDocument.safeParse(ours?.sites?.[site]?.health).data;
}

function parseHealth(text: string): HealthDocument | undefined {
  try {
    return healthDocument.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
