import { OperatorError } from '../../lib/errors.ts';

/**
 * Components of a request's path. Nothing is decoded, and there are no queries: names of sites and WAL files need neither.
 * Whatever looks like more than plain names is refused with `request-invalid`.
 */
export function parseRequestPath(url: string): readonly string[] {
  const components = url.replace(/^\/+/, '').split('/');
  const isPlain = url.startsWith('/') && /^[\x21-\x7e]+$/.test(url) && !/[%?#\\]/.test(url);
  const isOdd = components.some((component) => component === '.' || component === '..');
  const hasGap = components.length > 1 && components.includes('');
  if (!isPlain || isOdd || hasGap) throw invalidPath(url);
  return components;
}

export function invalidPath(url: string): OperatorError {
  return new OperatorError('request-invalid', `Invalid path ${JSON.stringify(url.slice(0, 200))}`, {
    hint: 'Known are /status, /metrics, /SITE/basebackup, /SITE/archive/FILE and /SITE/retention.',
  });
}
