import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { withoutLogin } from '../../lib/url-login.ts';
import type { PushgatewayOptions } from './options.ts';
import { prometheusText } from './prometheus-text.ts';
import type { MetricFamily } from './registry.ts';

export interface PushgatewayDeps {
  /** Name of this host. */
  readonly host: string;
  readonly log: Log;
  /** Told of each push that failed. */
  readonly onFailure?: () => void;
}

/** Hands everything that was measured to a Prometheus pushgateway, as it stands; what does not get there is part of the next push. */
export class Pushgateway {
  readonly #options: PushgatewayOptions;
  readonly #deps: PushgatewayDeps;
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  #isFailing = false;

  constructor(options: PushgatewayOptions, deps: PushgatewayDeps) {
    this.#options = options;
    this.#deps = deps;
    const { url, headers } = withoutLogin(options.endpoint);
    this.#base = url;
    this.#headers = { 'content-type': 'text/plain; version=0.0.4', ...headers };
  }

  /** Never rejects: the log says when pushing begins to fail, and when it is well again. `signal`: ends it, and says nothing of the gateway. */
  async push(families: readonly MetricFamily[], msMax: number, signal?: AbortSignal): Promise<void> {
    const { log, onFailure } = this.#deps;
    const pushgateway = this.#base.host;
    const limit = AbortSignal.timeout(msMax);
    try {
      const either = signal ? AbortSignal.any([signal, limit]) : limit;
      for (const [instance, part] of this.#byInstance(families)) await this.#post(instance, part, either);
      if (this.#isFailing) log.info({ pushgateway }, 'metrics are pushed again');
      this.#isFailing = false;
    } catch (error) {
      if (signal?.aborted) return;
      onFailure?.();
      if (!this.#isFailing)
        log.warn({ pushgateway, because: whyOf(error) }, 'metrics cannot be pushed; they are counted on, and pushed once they can be');
      this.#isFailing = true;
    }
  }

  /** As the original did: without a configured name the instance is the site that a metric is of, else this host. */
  #byInstance(families: readonly MetricFamily[]): Map<string, MetricFamily[]> {
    const { instance, tags } = this.#options;
    const nameOf = (site: string | number | undefined) => instance ?? String(site ?? tags['site'] ?? this.#deps.host);
    const parts = new Map<string, MetricFamily[]>();
    for (const { definition, series } of families) {
      for (const [name, own] of Map.groupBy(series, (each) => nameOf(each.tags['site']))) {
        parts.set(name, [...(parts.get(name) ?? []), { definition, series: own }]);
      }
    }
    return parts;
  }

  async #post(instance: string, families: readonly MetricFamily[], signal: AbortSignal): Promise<void> {
    const { job, tags } = this.#options;
    const url = new URL(this.#base);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/metrics/${grouping('job', job)}/${grouping('instance', instance)}`;
    const body = prometheusText(families, tags);
    const answer = await fetch(url, { method: 'POST', headers: this.#headers, body, redirect: 'error', signal });
    const said = (await answer.text()).trim().slice(0, 200);
    if (!answer.ok) throw new Error(`it answered ${answer.status}: ${said}`);
  }
}

/** A slash would end the value. */
function grouping(label: string, value: string): string {
  if (value !== '' && !value.includes('/')) return `${label}/${encodeURIComponent(value)}`;
  return `${label}@base64/${Buffer.from(value).toString('base64url') || '='}`;
}

/** What `fetch` says itself is only that it failed. */
function whyOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error);
}
