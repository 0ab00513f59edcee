import type { SourceFile } from './source-file.ts';

/** Circles of imports, each once, as the files on the way round (the first one again at the end). Types count: a circle of types is a circle of ideas. */
export function importCycles(sources: readonly SourceFile[]): string[][] {
  const edges = new Map(sources.map(({ path, imports }) => [path, imports.filter(({ relative }) => relative).map(({ target }) => target)]));
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) cycles.push([...trail.slice(at), path]);
    if (at !== -1 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return cycles;
}
