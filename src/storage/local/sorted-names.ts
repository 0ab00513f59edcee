import { type SortedName, type SortedNamesOptions, sortedNamesIn } from '../files/sorted-names.ts';
import { localTree } from './local-tree.ts';

/** As {@link sortedNamesIn}, in a directory of this host. */
export function sortedNames(directory: string, options: SortedNamesOptions): AsyncGenerator<SortedName> {
  return sortedNamesIn(localTree, directory, options);
}
