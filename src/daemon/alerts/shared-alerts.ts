import type { AlertName, Alerts } from './alerts.ts';

type RaiseAndClear = Pick<Alerts, 'raise' | 'clear'>;

/** Lets several parts of a site raise the same alert, each for causes of its own: it is cleared once all of them have none left. */
export class SharedAlerts {
  readonly #alerts: RaiseAndClear;
  readonly #causes = new Map<AlertName, Map<string, string>>();

  constructor(alerts: RaiseAndClear) {
    this.#alerts = alerts;
  }

  /** What one part, called `source`, raises and clears. */
  from(source: string): RaiseAndClear {
    return {
      raise: (name, site, because) => {
        this.#causesOf(name).set(source, because);
        return this.#tell(name, site);
      },
      clear: (name, site) => {
        this.#causesOf(name).delete(source);
        return this.#tell(name, site);
      },
    };
  }

  async #tell(name: AlertName, site: string): Promise<void> {
    const because = [...this.#causesOf(name).values()].join('; ');
    await (because === '' ? this.#alerts.clear(name, site) : this.#alerts.raise(name, site, because));
  }

  #causesOf(name: AlertName): Map<string, string> {
    const causes = this.#causes.get(name) ?? new Map<string, string>();
    this.#causes.set(name, causes);
    return causes;
  }
}
