import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../../lib/errors.ts';
import { acceptedCoding, type Coding } from './accepted-coding.ts';
import type { ApiRequest } from './api-request.ts';
import type { Reply } from './reply.ts';

/** What the dashboard consists of, by the path it is asked for. Nothing else is ever read, so no path leads out of there. */
const files: Readonly<Record<string, { readonly name: string; readonly type: string }>> = {
  '': { name: 'index.html', type: 'text/html; charset=utf-8' },
  'page.js': { name: 'page.js', type: 'text/javascript; charset=utf-8' },
  'page.css': { name: 'page.css', type: 'text/css; charset=utf-8' },
  'icon.svg': { name: 'icon.svg', type: 'image/svg+xml' },
};

const endings: Readonly<Record<Coding, string>> = { br: '.br', gzip: '.gz' };

/** Beside the compiled sources, as scripts/build.sh makes it. */
const pageDirectory = new URL('../../../web/', import.meta.url);

/** Only what this server itself has sent runs, is shown or is asked, and nobody shows the page within another. */
const protection = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

interface PageFile {
  readonly bytes: Uint8Array;
  readonly tag: string;
}

const read = new Map<string, Promise<PageFile>>();

export function isPageFile(path: string): boolean {
  return Object.hasOwn(files, path);
}

/** `GET /` and what the page there loads, compressed as the build has left it where the client takes that. Rejects with `dashboard-missing`. */
export async function answerPage(path: string, { header }: Pick<ApiRequest, 'header'>): Promise<Reply> {
  const file = files[path];
  if (file === undefined) throw new Error(`no file of the page: ${path}`);
  const coding = acceptedCoding(header('accept-encoding'));
  const { bytes, tag } = await readOnce(`${file.name}${coding === undefined ? '' : endings[coding]}`);
  const caching = { 'cache-control': 'no-cache', vary: 'Accept-Encoding', etag: tag };
  const headers = { ...protection, 'content-type': file.type, ...caching, ...(coding && { 'content-encoding': coding }) };
  return header('if-none-match') === tag ? { status: 304, headers, body: '' } : { status: 200, headers, body: bytes };
}

function readOnce(name: string): Promise<PageFile> {
  const known = read.get(name);
  if (known !== undefined) return known;
  const reading = readPageFile(name);
  read.set(name, reading);
  reading.catch(() => read.delete(name));
  return reading;
}

async function readPageFile(name: string): Promise<PageFile> {
  try {
    const bytes = await readFile(new URL(name, pageDirectory));
    return { bytes, tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
  } catch (error) {
    throw new OperatorError('dashboard-missing', 'the files of the dashboard cannot be read', {
      cause: error,
      hint: 'They are part of the package: install it again; in a checkout run "npm run build".',
    });
  }
}
