import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { waitFor } from '../wait-for.ts';
import { Service, statusOf } from './service.ts';

export interface PrometheusTarget {
  /** `host:port`. */
  readonly address: string;
  readonly username: string;
  readonly password: string;
}

/** A result of a query: its labels, and its value as text. */
export interface PrometheusResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/**
 * A real Prometheus that fetches the metrics of a daemon every other second. It gives each fetch no longer than that, and one that takes longer makes all series stale, so that
 * no query gives anything: a second is too short for a machine that is busy.
 */
export class TestPrometheus implements AsyncDisposable {
  readonly #service: Service;
  readonly #url: string;

  private constructor(service: Service, url: string) {
    this.#service = service;
    this.#url = url;
  }

  /** `directory`: exists, and is its own. `rules`: file of rules. */
  static async start(directory: string, target: PrometheusTarget, rules: string): Promise<TestPrometheus> {
    const configFile = join(directory, 'prometheus.json'); // JSON is YAML
    const { address, username, password } = target;
    const job = { job_name: 'pghoard', basic_auth: { username, password }, static_configs: [{ targets: [address] }] };
    const config = { global: { scrape_interval: '2s', evaluation_interval: '1s' }, rule_files: [rules], scrape_configs: [job] };
    await writeFile(configFile, JSON.stringify(config));
    const port = await freePort();
    const args = [`--config.file=${configFile}`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`];
    const service = new Service('/usr/bin/prometheus', args, { cwd: directory, logFile: join(directory, 'log') });
    const url = `http://127.0.0.1:${port}`;
    await service.ready(async () => (await statusOf(`${url}/-/ready`)) === 200);
    return new TestPrometheus(service, url);
  }

  /** What an expression gives now. */
  async query(expression: string): Promise<readonly PrometheusResult[]> {
    const { result } = (await this.#ask(`query?query=${encodeURIComponent(expression)}`)) as { result: PrometheusResult[] };
    return result;
  }

  /** Waits until an expression gives something. */
  async answered(expression: string, withinMs = 30_000): Promise<readonly PrometheusResult[]> {
    const answer = async () => {
      const found = await this.query(expression);
      return found.length > 0 && found;
    };
    let target = '';
    const answerOrTarget = async () => {
      const found = await answer();
      if (!found) target = JSON.stringify(await this.target());
      return found;
    };
    return waitFor(answerOrTarget, { withinMs, what: () => `${expression} gives a series; how it was fetched last: ${target}` });
  }

  /** How the last fetch from the daemon went. */
  async target(): Promise<{ readonly health: string; readonly lastError: string }> {
    const { activeTargets } = (await this.#ask('targets')) as { activeTargets: [{ health: string; lastError: string }] };
    const [{ health, lastError }] = activeTargets;
    return { health, lastError };
  }

  /** `ok`, `err` or `unknown`, for each alert rule. */
  async ruleHealth(): Promise<Readonly<Record<string, string>>> {
    const { groups } = (await this.#ask('rules')) as { groups: { rules: { name: string; health: string }[] }[] };
    return Object.fromEntries(groups.flatMap((group) => group.rules).map(({ name, health }) => [name, health]));
  }

  /** Kinds of the metrics as Prometheus was told, by name. */
  async kinds(): Promise<Readonly<Record<string, string | undefined>>> {
    const found = (await this.#ask('metadata')) as Record<string, [{ type: string }]>;
    return Object.fromEntries(Object.entries(found).map(([name, [{ type }]]) => [name, type]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.stop();
  }

  async #ask(what: string): Promise<unknown> {
    const answer = await fetch(`${this.#url}/api/v1/${what}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string };
    assert.equal(status, 'success', `${what}: ${error}`);
    return data;
  }
}
