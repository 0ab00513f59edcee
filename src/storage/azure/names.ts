import { OperatorError } from '../../lib/errors.ts';

/*
 * Azure takes `\` for `/`, and drops a dot at the end of a part of a name. So `\` is written as `%5C`, what looks like that already gets `%25` in place
 * of its `%`, and final dots are refused. All other keys are the names of their blobs, as in the original. A key with `\` is listed where its name belongs.
 */

export function nameOfKey(key: string): string {
  if (/\.(\/|$)/.test(key))
    throw new OperatorError(
      'object-key-invalid',
      `${JSON.stringify(key)} cannot be the key of an object in Azure: a part of it ends with a dot`,
    );
  return escaped(key);
}

export function keyOfName(name: string): string {
  return name.replaceAll(/%((?:25)*)5C/g, (_, escapes: string) => (escapes === '' ? '\\' : `%${escapes.slice(2)}5C`));
}

/** What the names of all keys with this prefix begin with; others may, too. */
export function namePrefix(prefix: string): string {
  return escaped(prefix.replace(/%[25]*$/, ''));
}

/** 1.4.0 put a slash before every key, so its blobs are called `/site/…`; we and all later versions write `site/…`. */
export function legacyNameOf(name: string): string {
  return `/${name}`;
}

export function escaped(text: string): string {
  return text.replaceAll(/\\|%(?=(?:25)*5C)/g, (found) => (found === '\\' ? '%5C' : '%25'));
}
