import { isOperatorError } from '../lib/errors.ts';

export interface TroubleWatchOptions {
  readonly warningLimit: number;
  readonly onTrouble: (site: string, key: string, failures: number, error: unknown) => void;
  readonly onRecovered: (site: string) => void;
}

export interface WatchedUpload {
  /** It will be tried again. */
  failed(error: unknown): void;
  succeeded(): void;
  /** It will not be tried again; `error` where the store is to blame. */
  gaveUp(error: unknown): void;
}

interface SiteTrouble {
  /** Uploads beyond the limit that are still being tried. */
  readonly failing: Set<object>;
  /** Uploads in a row that were given up because of the store. */
  givenUp: number;
  told: boolean;
}

/** Decides when somebody must hear that a site's uploads fail, and when that is over. */
export class TroubleWatch {
  readonly #options: TroubleWatchOptions;
  readonly #sites = new Map<string, SiteTrouble>();

  constructor(options: TroubleWatchOptions) {
    this.#options = options;
  }

  begin(site: string, key: string): WatchedUpload {
    const trouble = this.#of(site);
    const upload = {};
    let failures = 0;
    const tell = (count: number, error: unknown) => {
      if (count <= this.#options.warningLimit && !needsSomebody(error)) return false;
      trouble.told = true;
      this.#options.onTrouble(site, key, count, error);
      return true;
    };
    return {
      failed: (error) => {
        if (tell(++failures, error)) trouble.failing.add(upload);
      },
      succeeded: () => {
        trouble.failing.delete(upload);
        trouble.givenUp = 0;
        if (!trouble.told || trouble.failing.size > 0) return;
        trouble.told = false;
        this.#options.onRecovered(site);
      },
      gaveUp: (error) => {
        trouble.failing.delete(upload);
        if (error !== undefined) tell(++trouble.givenUp, error);
      },
    };
  }

  #of(site: string): SiteTrouble {
    const known = this.#sites.get(site);
    if (known) return known;
    const fresh: SiteTrouble = { failing: new Set(), givenUp: 0, told: false };
    this.#sites.set(site, fresh);
    return fresh;
  }
}

/** Does not pass by itself: somebody has to hear of it at once. */
function needsSomebody(error: unknown): boolean {
  return isOperatorError(error, 'store-denied', 'store-missing');
}
