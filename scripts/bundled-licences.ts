import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `bundled-licences.js LIBRARY [--debian]`: prints whose the npm packages below LIBRARY/node_modules are and on what terms, in the format of Debian's copyright
 * files. `--debian` refers to what every Debian system has in /usr/share/common-licenses instead of repeating it.
 */
const [library = '', flag] = process.argv.slice(2);

interface Bundled {
  /** Below node_modules, those of packages in packages too. */
  readonly path: string;
  readonly licence: string;
  readonly copyright: string;
  readonly text: string;
}

interface Manifest {
  readonly name?: string;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
  readonly author?: string | { readonly name?: string };
}

/** Licences that Debian systems have, by what tells them in a text. */
const common: readonly { readonly name: string; readonly told: RegExp }[] = [
  { name: 'Apache-2.0', told: /Apache License\s+Version 2\.0, January 2004/ },
  { name: 'LGPL-3', told: /GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3/ },
];

function bundledIn(directory: string, prefix = ''): Bundled[] {
  const names = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
  return names.flatMap((name) => {
    const inside = join(directory, name);
    const path = `${prefix}${name}`;
    if (name.startsWith('@')) return bundledIn(inside, `${path}/`);
    const files = readdirSync(inside);
    const nested = files.includes('node_modules') ? bundledIn(join(inside, 'node_modules'), `${path}/node_modules/`) : [];
    return files.includes('package.json') ? [packageIn(inside, path, files), ...nested] : nested;
  });
}

function packageIn(directory: string, path: string, files: readonly string[]): Bundled {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
  const texts = files
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .map((file) => readFileSync(join(directory, file), 'utf8').trim());
  const text = texts.join('\n\n');
  const lines = [
    ...new Set(
      text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => /^(copyright\s|\(c\)\s+\d{4}|©)/i.test(line)),
    ),
  ].filter((line) => !/^copyright (notice|owner|license|\[|and related)/i.test(line));
  const author = typeof manifest.author === 'string' ? manifest.author : manifest.author?.name;
  return {
    path,
    licence: manifest.license ?? manifest.licenses?.map(({ type }) => type).join(' or ') ?? 'unknown',
    copyright: lines.slice(0, 5).join('\n           ') || author || `the authors of ${path}`,
    text: text || `The package tells no more than its licence's name: ${manifest.license ?? 'none'}.`,
  };
}

/** Packages with the same words stand together. */
function stanzas(packages: readonly Bundled[]): string[] {
  const groups = Map.groupBy(packages, ({ licence, copyright, text }) => `${licence}\n${copyright}\n${text}`);
  return [...groups.values()].map((group, index) => {
    const [{ licence, copyright, text }] = group as [Bundled];
    const files = group.map(({ path }) => `usr/lib/pghoard/node_modules/${path}/*`).join('\n       ');
    return `Files: ${files}\nCopyright: ${copyright}\nLicense: ${licence.replaceAll(/[\s()]+/g, '-')}-${index + 1}\n${indented(termsOf(text))}`;
  });
}

function termsOf(text: string): string {
  const known = flag === '--debian' ? common.find(({ told }) => told.test(text)) : undefined;
  return known === undefined ? text : `On Debian systems the text is in /usr/share/common-licenses/${known.name}.`;
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');
}

const own = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: pghoard
Comment: The package brings Node.js and the npm packages that pghoard needs. They are listed after its own licence.

Files: *
Copyright: the developers of pghoard
License: Apache-2.0
${indented(termsOf(readFileSync(new URL('../../LICENSE', import.meta.url), 'utf8')))}`;

console.log([own, ...stanzas(bundledIn(join(library, 'node_modules')))].join('\n\n'));
