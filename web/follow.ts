import type { LiveBeatDocument, LiveDaemonDocument, LiveSiteDocument } from '../src/daemon/http/api.ts';
import type { State } from './state.ts';

/** Beats come every other second. */
const silenceMsMax = 10_000;
const againMs = 1_500;

/** Keeps the state as the daemon tells it, for as long as the page is there. `changed` is called after each round, and when the connection is lost. */
export function followDaemon(state: State, changed: () => void): void {
  let source: EventSource | undefined;
  let watch: number | undefined;

  const lost = () => {
    source?.close();
    clearTimeout(watch);
    watch = window.setTimeout(begin, againMs);
    state.isConnected = false;
    changed();
  };
  const alive = () => {
    clearTimeout(watch);
    watch = window.setTimeout(lost, silenceMsMax);
  };
  const begin = () => {
    source = new EventSource('events');
    alive();
    source.addEventListener('error', lost);
    source.addEventListener('daemon', (event: MessageEvent<string>) => state.heardDaemon(JSON.parse(event.data) as LiveDaemonDocument));
    source.addEventListener('site', (event: MessageEvent<string>) =>
      state.heardSite(JSON.parse(event.data) as LiveSiteDocument, Date.now()),
    );
    source.addEventListener('beat', (event: MessageEvent<string>) => {
      alive();
      state.heardBeat(JSON.parse(event.data) as LiveBeatDocument, Date.now());
      changed();
    });
  };
  begin();
}
