import { watch } from 'node:fs';

const withinMs = 60_000;

/**
 * Calls `act` at the `count`-th change in any of the directories (a file made, written to, renamed or removed), at once, and resolves to
 * what changed then. So every step of a writer can be hit, without knowing its steps.
 */
export async function afterEvents(directories: readonly string[], count: number, act: () => void): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let events = 0;
  const onEvent = (directory: string, event: string, name: string | null) => {
    if (++events !== count) return;
    act();
    resolve(`${event} ${directory}/${name}`);
  };
  const watchers = directories.map((directory) => watch(directory, (event, name) => onEvent(directory, event, name)));
  const timer = setTimeout(() => reject(new Error(`only ${events} of ${count} changes in ${directories.join(', ')}`)), withinMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  }
}
