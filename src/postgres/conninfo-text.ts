import { conninfoError } from './conninfo-keywords.ts';

const blank = /\s/;

/** Reads `host=a port='5432' password=it\'s`, by the rules of libpq. The last of repeated keywords wins. Keywords are not checked. */
export function parseConninfoText(text: string): Record<string, string> {
  const info: Record<string, string> = {};
  const reader = new ConninfoReader(text);
  for (let keyword = reader.keyword(); keyword !== undefined; keyword = reader.keyword()) {
    const value = reader.value(keyword);
    Object.defineProperty(info, keyword, { value, enumerable: true, configurable: true, writable: true });
  }
  return info;
}

class ConninfoReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next keyword and its `=`; undefined at the end. */
  keyword(): string | undefined {
    this.#skipBlanks();
    if (this.#at >= this.#text.length) return undefined;
    const from = this.#at;
    while (this.#at < this.#text.length && this.#text[this.#at] !== '=' && !blank.test(this.#text[this.#at] as string)) this.#at++;
    const keyword = this.#text.slice(from, this.#at);
    this.#skipBlanks();
    // What stands here may be the rest of a password that should have been quoted: it is not repeated in the message.
    if (this.#text[this.#at] !== '=') throw conninfoError(`connection string: missing "=" after word at position ${from + 1}`, quotingHint);
    if (keyword === '') throw conninfoError(`connection string: missing keyword before "=" at position ${from + 1}`, quotingHint);
    this.#at++;
    this.#skipBlanks();
    return keyword;
  }

  value(keyword: string): string {
    const quoted = this.#text[this.#at] === "'";
    if (quoted) this.#at++;
    let value = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] as string;
      if (quoted ? character === "'" : blank.test(character)) break;
      if (character === '\\') this.#at++;
      value += this.#text[this.#at] ?? '';
    }
    if (quoted && this.#at >= this.#text.length)
      throw conninfoError(`connection string: the quoted value of "${keyword}" does not end`, quotingHint);
    if (quoted) this.#at++;
    return value;
  }

  #skipBlanks(): void {
    while (this.#at < this.#text.length && blank.test(this.#text[this.#at] as string)) this.#at++;
  }
}

const quotingHint = "Write values with blanks in single quotes, and \\' and \\\\ for a quote and a backslash.";
