import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build as bundleFiles, type Plugin } from 'esbuild';

/**
 * Bundles the compiled programs into dist/programs/: loading some eight hundred modules one by one takes more than half of the start of each of them.
 * Nothing is compiled here: of `await using` in a loop, esbuild makes something that throws the error of an earlier round again.
 * What worker threads load is found by address, so each job has a file of its own there. All files lie in one directory, and share chunks.
 */
const root = join(import.meta.dirname, '..');
const compiled = join(root, 'dist/src');
const outdir = join(root, 'dist/programs');
const programs = ['pghoard', 'restore', 'archive-sync', 'archive-cleanup', 'create-keys', 'postgres-command'];

/** Packages that are bundled, too: many small modules. The others stay in node_modules, with their native parts. */
const bundled = ['zod'];

const isThreadModule = (path: string) => path.endsWith('.job.js') || path === 'codec/worker.js';
const threadModules = readdirSync(compiled, { recursive: true, encoding: 'utf8' }).filter(isThreadModule);

/** The file in dist/programs/, without its extension. */
const nameOf = (path: string) => path.replace(/\.js$/, '').replaceAll('/', '-');

const isBundled = (specifier: string) => specifier.startsWith('.') || bundled.includes(specifier.split('/')[0] ?? '');

const packagesStayOutside: Plugin = {
  name: 'packages stay outside',
  setup: (build) => {
    build.onResolve({ filter: /^[^/]/ }, ({ path, kind }) =>
      kind === 'entry-point' || isBundled(path) ? undefined : { path, external: true },
    );
  },
};

/** Files that are looked for beside a module are found as if it still lay where it is compiled to. */
const modulesKeepTheirAddress: Plugin = {
  name: 'modules keep their address',
  setup: (build) => {
    build.onLoad({ filter: /\/dist\/src\/.*\.js$/ }, ({ path }) => {
      const name = relative(compiled, path);
      const address = isThreadModule(name) ? `./${nameOf(name)}.js` : `../src/${name}`;
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', `new URL('${address}', import.meta.url).href`);
      return { contents, loader: 'js' };
    });
  },
};

/** Entry points of one build share chunks. What threads load is built apart: else all that both load would fall into many small chunks, and the programs start more slowly. */
async function bundle(entryPoints: Readonly<Record<string, string>>): Promise<void> {
  await bundleFiles({
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'esnext',
    sourcemap: true,
    sourcesContent: false,
    keepNames: true,
    logLevel: 'warning',
    plugins: [packagesStayOutside, modulesKeepTheirAddress],
  });
}

rmSync(outdir, { recursive: true, force: true });
await bundle(Object.fromEntries(programs.map((name) => [name, `dist/src/cli/${name}.js`])));
await bundle(Object.fromEntries(threadModules.map((path) => [nameOf(path), `dist/src/${path}`])));
