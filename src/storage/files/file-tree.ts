/** What a directory says of what is in it, without following links. */
export interface TreeEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export interface TreeStats {
  readonly size: number;
  readonly mtime: Date;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** Directories and files in which stores keep objects, on this host or on a server: what listing asks of them. */
export interface ListableTree {
  entries(directory: string): AsyncIterable<TreeEntry>;
  /** Follows links. */
  stat(path: string): Promise<TreeStats>;
  /** The same whichever way leads to the directory, against loops of links. */
  directoryIdentity(path: string): Promise<string>;
  /** Whether an error of the above says that nothing is there, or something that is no directory on the way to it. */
  isAbsent(error: unknown): boolean;
}

/** What putting staged files in place asks of them. */
export interface ChangeableTree {
  /** `undefined` where there is none. */
  readSidecar(path: string): Promise<string | undefined>;
  /** Tells a file from another one that comes in its place. Does not follow links; `undefined` where there is nothing. */
  fileIdentity(path: string): Promise<string | undefined>;
  /** In place of what has the name already. */
  rename(from: string, to: string): Promise<void>;
  /** Gives the file a temporary name, and says whether it was there. */
  setAside(path: string, aside: string): Promise<boolean>;
  /** Gives the file a name that nothing has yet, and says whether that was so. The old name may stay. */
  claim(from: string, to: string): Promise<boolean>;
  /** Says whether there was a file. A directory is left where it is. */
  remove(path: string): Promise<boolean>;
  /** Names the file among those of all trees, for {@link withPathLocked}. */
  lockOf(path: string): string;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

export async function ifThere<T>(tree: Pick<ListableTree, 'isAbsent'>, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (tree.isAbsent(error)) return undefined;
    throw error;
  }
}
