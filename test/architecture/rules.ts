import { importCycles } from './cycles.ts';
import { type Import, isTest, roomOf, type SourceFile } from './source-file.ts';

/** One rule of the house: what it says, and who breaks it (`file: what it does`). */
export interface Rule {
  readonly name: string;
  readonly broken: (sources: readonly SourceFile[]) => readonly string[];
}

/** The floors from top to bottom; a room may import the rooms of lower floors, never one beside it. */
const floors: readonly (readonly string[])[] = [
  ['cli'],
  ['daemon'],
  ['basebackup', 'wal', 'restore', 'retention', 'verify'],
  ['catalog', 'transfer'],
  ['codec', 'tar', 'postgres', 'storage'],
  ['lib'],
];

/** Packages that speak to one cloud: too heavy to load for a configuration that does not name it. */
const cloudPackages = /^(@aws-sdk|@smithy|@azure|@google-cloud|google-auth-library|ssh2)(\/|$)/;

export const rules: readonly Rule[] = [
  {
    name: 'rooms import only lower floors: cli → daemon → features → catalog, transfer → codec, tar, postgres, storage → lib',
    broken: eachImport(({ path }, { target }) => {
      const from = floorOf(path);
      const to = floorOf(target);
      return from !== undefined && to !== undefined && roomOf(path) !== roomOf(target) && to <= from;
    }),
  },
  {
    name: 'every folder of src/ is a room of the plan',
    broken: (sources) =>
      sources.filter(({ path }) => path.startsWith('src/') && !isKnownRoom(path)).map(({ path }) => `${path}: unknown room`),
  },
  {
    name: 'only cli and daemon import config; features are handed their options',
    broken: eachImport(
      ({ path }, { target }) => roomOf(target) === 'config' && !['cli', 'daemon', 'config'].includes(roomOf(path) ?? 'cli'),
    ),
  },
  {
    name: 'config imports options, mechanisms and lib, never what acts on them',
    broken: eachImport(({ path }, { target, relative }) => roomOf(path) === 'config' && relative && !configMayImport(target)),
  },
  {
    name: 'options.ts declares: it imports other options.ts, lib and plain declarations beside it only',
    broken: eachImport(({ path }, { target, relative }) => path.endsWith('/options.ts') && relative && !optionsMayImport(path, target)),
  },
  {
    name: 'src imports nothing outside of src; its tests may import test/support',
    broken: eachImport(({ path }, { target, relative }) => path.startsWith('src/') && relative && !srcMayImport(path, target)),
  },
  {
    name: 'nobody imports compiled files',
    broken: eachImport((_, { target }) => /(^|\/)dist\//.test(target)),
  },
  {
    name: 'relative imports end in .ts',
    broken: eachImport((_, { target, relative }) => relative && !/\.(ts|json)$/.test(target)),
  },
  {
    name: 'packages of one cloud are loaded in the folder of its driver only',
    broken: eachImport(
      ({ path }, { target, typeOnly }) => !isTest(path) && cloudPackages.test(target) && !typeOnly && driverOf(path) === undefined,
    ),
  },
  {
    name: 'drivers of clouds are loaded only by import(), when a configuration names them; their options load nothing',
    broken: eachImport(({ path }, { target, dynamic, typeOnly }) => {
      if (isTest(path) || dynamic || typeOnly) return false;
      if (path.endsWith('/options.ts'))
        return cloudPackages.test(target) || (driverOf(target) !== undefined && !target.endsWith('/options.ts'));
      return driverOf(target) !== undefined && driverOf(target) !== driverOf(path) && !target.endsWith('/options.ts');
    }),
  },
  {
    name: 'web imports web, and as types what the HTTP API answers; nobody imports web',
    broken: eachImport(({ path }, { target, typeOnly }) => {
      if (!path.startsWith('web/')) return target.startsWith('web/');
      const isOfTest = path.endsWith('.test.ts') && /^(node:|fast-check$)/.test(target);
      return !target.startsWith('web/') && !(typeOnly && target === 'src/daemon/http/api.ts') && !isOfTest;
    }),
  },
  {
    name: 'web makes no markup out of text',
    broken: (sources) =>
      sources.flatMap(({ path, code }) =>
        path.startsWith('web/') && /\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|document\.write|DOMParser|eval)\b/.test(code)
          ? [`${path}: makes markup`]
          : [],
      ),
  },
  { name: 'no file imports itself, not even in a circle', broken: (sources) => importCycles(sources).map((cycle) => cycle.join(' → ')) },
  {
    name: 'time comes from lib/clock.ts',
    broken: eachMatch(/\bDate\.now\(|\bnew Date\(\s*\)|\bprocess\.hrtime\b|\bperformance\.now\(/g, 'src/lib/clock.ts'),
  },
  { name: 'chance comes from lib/random.ts', broken: eachMatch(/\bMath\.random\(/g, 'src/lib/random.ts') },
];

/** The cloud whose driver lives in this file's folder. */
function driverOf(path: string): string | undefined {
  return /^src\/storage\/(s3|google|azure|swift|sftp)\//.exec(path)?.[1];
}

/** Rule: what `src` loads must be a dependency of the package, not something that only a checkout has. */
export function dependenciesRule(dependencies: readonly string[]): Rule {
  return {
    name: 'src imports only packages that are dependencies in package.json',
    broken: eachImport(({ path }, { target, relative }) => {
      if (isTest(path) || relative || target.startsWith('node:')) return false;
      return !dependencies.includes(packageOf(target));
    }),
  };
}

function eachImport(isBroken: (file: SourceFile, imported: Import) => boolean): Rule['broken'] {
  return (sources) =>
    sources.flatMap((file) =>
      file.imports.filter((imported) => isBroken(file, imported)).map(({ target }) => `${file.path}: imports ${target}`),
    );
}

function eachMatch(pattern: RegExp, allowed: string): Rule['broken'] {
  return (sources) =>
    sources
      .filter(({ path }) => !isTest(path) && path !== allowed)
      .flatMap(({ path, code }) => [...code.matchAll(pattern)].map(([match]) => `${path}: uses ${match}`));
}

function floorOf(path: string): number | undefined {
  const room = roomOf(path);
  const floor = floors.findIndex((rooms) => room !== undefined && rooms.includes(room));
  return floor === -1 ? undefined : floor;
}

function isKnownRoom(path: string): boolean {
  return floorOf(path) !== undefined || roomOf(path) === 'config';
}

function srcMayImport(path: string, target: string): boolean {
  return target.startsWith('src/') || (isTest(path) && target.startsWith('test/support/'));
}

function configMayImport(target: string): boolean {
  return target.endsWith('/options.ts') || ['config', 'lib', 'postgres', 'codec'].includes(roomOf(target) ?? '');
}

function optionsMayImport(path: string, target: string): boolean {
  return target.endsWith('options.ts') || roomOf(target) === 'lib' || roomOf(target) === roomOf(path);
}

function packageOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}
