import { OperatorError } from '../../lib/errors.ts';

/** A request's path, and what is asked for behind it. */
export interface RequestTarget {
  readonly components: readonly string[];
  /** Empty where there is none. */
  readonly query: URLSearchParams;
}

/** `takesQuery`: whether what these components name takes a query; elsewhere one is refused as `parseRequestPath` refuses. */
export function parseRequestTarget(url: string, takesQuery: (components: readonly string[]) => boolean): RequestTarget {
  const at = url.indexOf('?');
  if (at === -1) return { components: parseRequestPath(url), query: new URLSearchParams() };
  const components = parseRequestPath(url.slice(0, at));
  if (!/^[\x21-\x7e]*$/.test(url) || !takesQuery(components)) throw invalidPath(url);
  return { components, query: new URLSearchParams(url.slice(at + 1)) };
}

/**
 * Components of a path without a query. Nothing is decoded but the name of a site that cannot be written otherwise, such as `two%20words`;
 * whatever looks like more than plain names is refused with `request-invalid`.
 */
export function parseRequestPath(url: string): readonly string[] {
  const [first = '', ...rest] = url.replace(/^\/+/, '').split('/');
  const components = [decodeSite(first) ?? first, ...rest];
  const isPlain =
    url.startsWith('/') && /^[\x21-\x7e]+$/.test(url) && !/[%?#\\]/.test([decodeSite(first) === undefined ? first : '', ...rest].join('/'));
  const isOdd = components.some((component) => component === '.' || component === '..');
  const hasGap = components.length > 1 && components.includes('');
  if (!isPlain || isOdd || hasGap) throw invalidPath(url);
  return components;
}

/** Undefined for what is plain, or is not written in the one way in which `encodeURIComponent` writes a name that a site can have. */
function decodeSite(component: string): string | undefined {
  if (!component.includes('%')) return undefined;
  try {
    const name = decodeURIComponent(component);
    return encodeURIComponent(name) === component && !/[/\p{Cc}]|^\./u.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

export function invalidPath(url: string): OperatorError {
  return new OperatorError('request-invalid', `Invalid path ${JSON.stringify(url.slice(0, 200))}`, {
    hint: 'Known are /, /status, /events, /metrics, /SITE/status, /SITE/recoverability, /SITE/plan, /SITE/commits, /SITE/basebackup, /SITE/archive/FILE and /SITE/retention.',
  });
}
