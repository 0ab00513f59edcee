/** What a job can use while it runs in a worker thread. */
export interface JobContext {
  readonly signal: AbortSignal;
  /** Tells the main thread something while the job runs, such as bytes done so far. Plain data only. */
  readonly report: (message: unknown) => void;
}

/**
 * Work for a codec worker: a function that a worker thread finds again by module and name.
 * Declared beside the feature it belongs to, as an export whose name equals `name`:
 * `export const sealChunk = defineJob(import.meta.url, 'sealChunk', async (input: ChunkInput, context) => …);`
 * Input and result are plain data (structured clone).
 */
export interface Job<Input, Result> {
  readonly module: string;
  readonly name: string;
  readonly run: (input: Input, context: JobContext) => Promise<Result>;
}

export function defineJob<Input, Result>(
  module: string,
  name: string,
  run: (input: Input, context: JobContext) => Promise<Result>,
): Job<Input, Result> {
  return { module, name, run };
}
