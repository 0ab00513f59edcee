import { type Finding, findingOf } from './finding.ts';
import type { WorkDeps } from './verify-deps.ts';

/** Of one object. */
const pagesToldMax = 10;

/** What is found of a base backup while it is read: it is told at once, and kept in order to be noted. */
export class BackupFindings {
  /** It cannot be restored whole. */
  readonly damaged: Finding[] = [];
  /** It is as the server gave it, and can be restored, but the server had damaged pages. */
  readonly pages: Finding[] = [];
  /** Nobody knows anything of what could not be read. */
  isUnread = false;
  readonly #deps: WorkDeps;

  constructor(deps: WorkDeps) {
    this.#deps = deps;
  }

  damage(code: string, object: string, what: string): void {
    this.tell({ severity: 'damaged', code, object, what });
  }

  damagedPages(object: string, pages: readonly string[]): void {
    if (pages.length === 0) return;
    const told = pages.slice(0, pagesToldMax).join('; ');
    const more = pages.length > pagesToldMax ? `; and ${pages.length - pagesToldMax} more` : '';
    const what = `pages that had wrong checksums on the server when the base backup was taken: ${told}${more}. It can be restored, with these pages as they were`;
    const finding = { severity: 'warning', code: 'page-checksum', object, what } as const;
    this.pages.push(finding);
    this.#deps.onFinding(finding);
  }

  tell(finding: Finding): void {
    this.#deps.onFinding(finding);
    if (finding.severity === 'unread') this.isUnread = true;
    if (finding.severity === 'damaged') this.damaged.push(finding);
  }

  /** Undefined where the object could not be read, which has been told then. */
  async attempt<T>(object: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#deps.signal.throwIfAborted();
      this.tell(await this.#deps.judgeKey(findingOf(error, object)));
      return undefined;
    }
  }
}
