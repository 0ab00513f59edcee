/** The items in the same order, `max` at a time, the last ones fewer. */
export async function* inBatches<T>(items: Iterable<T> | AsyncIterable<T>, max: number): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < max) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
