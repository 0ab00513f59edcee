import { z } from 'zod';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { forEachLimited } from '../../lib/limiter.ts';
import { sourceOfBytes } from '../object-source.ts';
import { storeDenied, storeUnreachable } from '../store-errors.ts';
import { type Container, encodePath } from './container.ts';
import { TokenRefusedError } from './errors.ts';
import { jsonIn, storeAnswerOdd } from './store-answer.ts';

const infoShape = z.object({ bulk_delete: z.object({ max_deletes_per_request: z.number().int().min(1) }).optional() });

const bulkAnswerShape = z.object({
  'Response Status': z.string(),
  'Response Body': z.string().optional(),
  Errors: z.array(z.tuple([z.string(), z.string()])).default([]),
});

const deletionsAtOnce = 8;

/** Deletes names, in one request per batch where the cluster can; what is gone already counts as deleted. */
export class Remover {
  readonly #container: Container;
  #batchMax: Promise<number> | undefined;

  constructor(container: Container) {
    this.#container = container;
  }

  async remove(names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    if (names.length === 0) return;
    const batchMax = names.length === 1 ? 1 : await this.#askBatchMax();
    if (batchMax === 1) return forEachLimited(names, deletionsAtOnce, (name) => this.#removeOne(name, signal));
    for (let at = 0; at < names.length; at += batchMax) await this.#removeBatch(names.slice(at, at + batchMax), signal);
  }

  async #removeOne(key: string, signal: AbortSignal | undefined): Promise<void> {
    const what = `delete ${key}`;
    const answer = await this.#container.request({ method: 'DELETE', key, signal, what, understood: [404] });
    answer.discard();
    if (![204, 404].includes(answer.status)) throw storeAnswerOdd(what, this.#container.storeName, `status ${answer.status}`);
  }

  /** 1 where the cluster cannot, or does not tell; asked once. */
  #askBatchMax(): Promise<number> {
    this.#batchMax ??= this.#readBatchMax().catch((error: unknown) => {
      this.#batchMax = undefined;
      if (!isOperatorError(error)) throw error;
      return 1;
    });
    return this.#batchMax;
  }

  async #readBatchMax(): Promise<number> {
    const what = 'ask what the cluster can do';
    const answer = await this.#container.requestInfo({ method: 'GET', what });
    const parsed = infoShape.safeParse(await jsonIn(answer, what, this.#container.storeName));
    return (parsed.success && parsed.data.bulk_delete?.max_deletes_per_request) || 1;
  }

  /** Success is status 200, whatever became of the names; refusals stand in the body. */
  async #removeBatch(names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { name: container, storeName } = this.#container;
    const lines = names.map((name) => `${encodePath(`${container}/${name}`)}\n`);
    const content = sourceOfBytes(Buffer.from(lines.join('')));
    const headers = { 'content-type': 'text/plain', accept: 'application/json' };
    const what = `delete ${names.length} objects`;
    await this.#container.requestAccount({ method: 'POST', headers, content, signal, what }, 'bulk-delete', async (answer) => {
      const parsed = bulkAnswerShape.safeParse(await jsonIn(answer, what, storeName));
      if (!parsed.success) throw storeAnswerOdd(what, storeName, 'not what became of them');
      const { Errors: errors, 'Response Status': status, 'Response Body': body = '' } = parsed.data;
      if (errors.length > 0 || !status.startsWith('200')) throw batchFailure(what, storeName, errors, `${status} ${body}`.trim());
    });
  }
}

function batchFailure(what: string, storeName: string, errors: readonly (readonly [string, string])[], status: string): OperatorError {
  const [name, why] = errors[0] ?? ['', status];
  const cause = new Error(
    name === '' ? why : `${decodeURIComponent(name)}: ${why}${errors.length > 1 ? `, and ${errors.length - 1} more` : ''}`,
  );
  const denied = storeDenied(what, storeName, cause);
  if (why.startsWith('401')) return new TokenRefusedError(denied.code, denied.message, { cause });
  if (why.startsWith('403')) return denied;
  if (/^5|^429|^498/.test(why)) return storeUnreachable(what, storeName, cause);
  return new OperatorError('store-failed', `${storeName} did not ${what}`, { cause, retryable: true });
}
