import type { LiveDaemonDocument } from '../src/daemon/http/api.ts';
import { h, show } from './dom.ts';
import { followDaemon } from './follow.ts';
import { formatDuration, formatTime } from './format.ts';
import { alertsOf } from './sections/alerts.ts';
import { verdictMark } from './sections/verdict.ts';
import { SitePage } from './site-page.ts';
import { State } from './state.ts';

const state = new State();
/** By site. What is open and chosen in one stays when another is looked at. */
const pages = new Map<string, SitePage>();
let page: SitePage | undefined;

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** Which site is looked at: it stands behind the `#` of the address, so that it can be kept and sent. */
function chosenSite(): string | undefined {
  const wanted = /^#(.+)$/.exec(location.hash)?.[1];
  const names = state.names;
  const decoded = wanted === undefined ? undefined : safelyDecoded(wanted);
  return decoded !== undefined && names.includes(decoded) ? decoded : names[0];
}

function safelyDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function render(): void {
  const nowMs = Date.now();
  showConnection(nowMs);
  showSites();
  byId('version').textContent = state.daemon?.version ?? '';
  const name = chosenSite();
  const site = name === undefined ? undefined : state.sites.get(name);
  if (name === undefined || site === undefined || state.daemon === undefined) {
    page = undefined;
    if (state.heardMs !== undefined) byId('site').replaceChildren(h('p', { class: 'quiet' }, 'The configuration names no site.'));
    return;
  }
  document.title = `${name} · pghoard`;
  if (page?.name !== name || !page.isOf(state.daemon)) {
    page = pageOf(name, state.daemon);
    byId('site').replaceChildren(...page.elements);
  }
  page.show(site, nowMs);
}

/** A daemon that came back with other settings makes them anew. */
function pageOf(name: string, daemon: LiveDaemonDocument): SitePage {
  const known = pages.get(name);
  if (known?.isOf(daemon)) return known;
  const made = new SitePage(name, daemon);
  pages.set(name, made);
  return made;
}

function showConnection(nowMs: number): void {
  const element = byId('connection');
  document.body.classList.toggle('stale', !state.isConnected);
  const text = connectionText(nowMs);
  // Read out by screen readers whenever it changes, so it changes seldom.
  if (element.textContent !== text) element.textContent = text;
}

function connectionText(nowMs: number): string {
  if (state.isConnected) return 'live';
  if (state.heardMs === undefined) return 'not connected yet; trying again';
  const seconds = (nowMs - state.heardMs) / 1000;
  const age = seconds < 60 ? formatDuration(Math.floor(seconds / 5) * 5) : formatDuration(Math.floor(seconds / 60) * 60);
  return `not connected; what is shown is of ${formatTime(state.heardMs)}, ${age} ago; trying again`;
}

function showSites(): void {
  const chosen = chosenSite();
  const links = state.names.map((name) => {
    const verdict = state.sites.get(name)?.document.health.verdict.is ?? 'unknown';
    const here = name === chosen ? 'page' : undefined;
    return h('li', {}, h('a', { href: `#${encodeURIComponent(name)}`, 'aria-current': here }, h('span', {}, name), verdictMark(verdict)));
  });
  const common = alertsOf(state.alerts, 'Alerts of the daemon');
  show(byId('sites'), ...(links.length > 1 ? [h('ul', {}, ...links)] : []), ...common);
}

window.addEventListener('hashchange', render);
followDaemon(state, render);
window.setInterval(render, 1000);
