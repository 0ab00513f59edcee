import type { SiteConfig } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { AlertEvent } from './alert-event.ts';
import { Channel, type ChannelView, type Way } from './channel.ts';
import { runCommand } from './command.ts';
import { shownUrl } from './http-call.ts';
import type { AlertOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import { postEvent } from './webhook.ts';

export interface ChannelsDeps {
  readonly onChange: () => void;
  readonly saved: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ChannelSettings {
  readonly alerts: AlertOptions;
  readonly backup_sites: Readonly<Record<string, Pick<SiteConfig, 'alerts'>>>;
}

/** All ways on which somebody hears of something: those of all sites, and those of sites that have their own. */
export class Channels {
  readonly #deps: ChannelsDeps;
  readonly #channels = new Map<string, Channel>();
  #settings: ChannelSettings | undefined;

  constructor(deps: ChannelsDeps) {
    this.#deps = deps;
  }

  get view(): readonly ChannelView[] {
    return [...this.#channels.values()].map(({ view }) => view);
  }

  get outboxes(): Readonly<Record<string, Outbox>> {
    return Object.fromEntries([...this.#channels].map(([id, { outbox }]) => [id, outbox]));
  }

  /**
   * Opens, changes and closes channels as the settings say; one that was there in an earlier life begins with what it left undelivered. Resolves to the ids of
   * those that are altogether new.
   */
  async follow(settings: ChannelSettings, earlier: Readonly<Record<string, Outbox>> = {}): Promise<ReadonlySet<string>> {
    const ways = this.#waysOf(settings);
    const gone = [...this.#channels.values()].filter(({ id }) => !ways.has(id));
    // Until then they take what comes, so that it stays behind what was there before.
    await Promise.all(gone.map((channel) => channel.close()));
    for (const { id } of gone) this.#channels.delete(id);
    this.#settings = settings;
    const fresh = new Set([...ways.keys()].filter((id) => !this.#channels.has(id) && earlier[id] === undefined));
    for (const [id, way] of ways) {
      const channel = this.#channels.get(id);
      if (channel) channel.use(way);
      else this.#channels.set(id, new Channel({ ...this.#deps, id, way, ...(earlier[id] && { outbox: earlier[id] }) }));
    }
    this.#inherit(gone);
    return fresh;
  }

  /** To all who are to hear of it, or to those of them that `only` names. */
  add(event: AlertEvent, only?: ReadonlySet<string>): void {
    for (const channel of this.#hearersOf(event.site)) if (only?.has(channel.id) !== false) channel.add(event);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#channels.values()].map((channel) => channel.close()));
  }

  /** What channels had not delivered that are no more goes to those who hear of the site now. */
  #inherit(gone: readonly Channel[]): void {
    for (const { id, outbox } of gone) {
      const { length: waiting } = outbox.waiting;
      if (waiting > 0)
        this.#deps.log.info({ channel: id, waiting }, 'a channel is gone; what it had not delivered goes to the others, if there are any');
    }
    for (const event of merged(gone.map(({ outbox }) => outbox.waiting))) this.add(event);
  }

  /** A site with settings of its own is told of there. Of the daemon as a whole hear, where nobody hears of all sites, those who hear of any. */
  #hearersOf(site: string | null): readonly Channel[] {
    const own = site !== null && this.#settings?.backup_sites[site]?.alerts ? site : null;
    const hearers = kinds.flatMap((kind) => this.#channels.get(idOf(kind, own)) ?? []);
    return hearers.length === 0 && site === null ? [...this.#channels.values()] : hearers;
  }

  #waysOf({ alerts, backup_sites: sites }: ChannelSettings): Map<string, Way> {
    const ways = this.#waysFor(null, alerts);
    for (const [site, { alerts: own }] of Object.entries(sites)) if (own) ways.push(...this.#waysFor(site, own));
    return new Map(ways);
  }

  #waysFor(
    site: string | null,
    { webhook, command, command_timeout_seconds: seconds, min_severity: minSeverity }: AlertOptions,
  ): [string, Way][] {
    const { clock, log } = this.#deps;
    const ways: [string, Way][] = [];
    if (webhook) {
      const deliver: Way['deliver'] = (event, signal) => postEvent(webhook, event, clock.now(), signal);
      ways.push([idOf('webhook', site), { to: shownUrl(webhook.url), minSeverity, deliver }]);
    }
    if (command) {
      const deliver: Way['deliver'] = (event, signal) => runCommand({ command, event, timeoutMs: seconds * 1000, log, signal });
      ways.push([idOf('command', site), { to: command[0] ?? '', minSeverity, deliver }]);
    }
    return ways;
  }
}

/** Each event once, in the order in which they happened. What one channel has delivered is where another's begins: the longest has the order of what came at once. */
function merged(queues: readonly (readonly AlertEvent[])[]): readonly AlertEvent[] {
  const events = queues.toSorted((a, b) => b.length - a.length).flat();
  const byId = new Map(events.map((event) => [event.id, event]));
  return [...byId.values()].toSorted((a, b) => a.at.localeCompare(b.at));
}

const kinds = ['webhook', 'command'] as const;

function idOf(kind: (typeof kinds)[number], site: string | null): string {
  return site === null ? kind : `${kind} of site ${site}`;
}
