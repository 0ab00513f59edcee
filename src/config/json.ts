/** Steps from the top of a JSON document to a value in it. */
export type JsonPath = readonly (string | number)[];

export interface JsonPosition {
  /** From 0, in UTF-16 units. */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Where the keys and array elements of a document stand, by {@link pathKey}. */
export type Positions = Map<string, JsonPosition>;

export interface JsonDocument {
  readonly value: unknown;
  readonly positions: Positions;
  /** Keys that stand twice in one object. The last value is the one in `value`. */
  readonly repeated: readonly { readonly path: JsonPath; readonly position: JsonPosition }[];
}

/** Text that is not JSON (RFC 8259). */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
  readonly position: JsonPosition;

  constructor(message: string, position: JsonPosition) {
    super(message);
    this.position = position;
  }
}

const depthMax = 100;

/** Reads JSON, remembering where everything stands; JSON.parse tells a place only for some mistakes and drops repeated keys silently. */
export function parseJson(text: string): JsonDocument {
  return new JsonReader(text.startsWith('\uFEFF') ? text.slice(1) : text).read();
}

export function pathKey(path: JsonPath): string {
  return JSON.stringify(path);
}

/** Of the value, or of the nearest one around it. */
export function positionOf(positions: Positions, path: JsonPath): JsonPosition | undefined {
  for (let length = path.length; length > 0; length--) {
    const position = positions.get(pathKey(path.slice(0, length)));
    if (position !== undefined) return position;
  }
  return undefined;
}

class JsonReader {
  readonly #text: string;
  readonly #positions: Positions = new Map();
  readonly #repeated: { path: JsonPath; position: JsonPosition }[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): JsonDocument {
    const value = this.#value([]);
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#fail(`expected the end of the file, found ${this.#found()}`);
    return { value, positions: this.#positions, repeated: this.#repeated };
  }

  #value(path: JsonPath): unknown {
    this.#skipBlanks();
    if (path.length > depthMax) this.#fail(`values are nested more than ${depthMax} deep`);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(path);
    if (first === '[') return this.#array(path);
    if (first === '"') return this.#string();
    return this.#literal();
  }

  #object(path: JsonPath): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    this.#at++;
    if (this.#skip('}')) return members;
    do {
      this.#skipBlanks();
      const position = this.#position();
      if (this.#text[this.#at] !== '"') this.#fail(`expected a key in double quotes, found ${this.#found()}${this.#trailingComma('}')}`);
      const key = this.#string();
      const memberPath = [...path, key];
      if (Object.hasOwn(members, key)) this.#repeated.push({ path: memberPath, position });
      this.#positions.set(pathKey(memberPath), position);
      if (!this.#skip(':')) this.#fail(`expected ":" after a key, found ${this.#found()}`);
      const value = this.#value(memberPath);
      // Not an assignment, which for the key "__proto__" would be none.
      Object.defineProperty(members, key, { value, enumerable: true, configurable: true, writable: true });
    } while (this.#skip(','));
    if (!this.#skip('}')) this.#fail(`expected "," or "}" after a value, found ${this.#found()}`);
    return members;
  }

  #array(path: JsonPath): unknown[] {
    const elements: unknown[] = [];
    this.#at++;
    if (this.#skip(']')) return elements;
    do {
      this.#skipBlanks();
      const elementPath = [...path, elements.length];
      this.#positions.set(pathKey(elementPath), this.#position());
      elements.push(this.#value(elementPath));
    } while (this.#skip(','));
    if (!this.#skip(']')) this.#fail(`expected "," or "]" after a value, found ${this.#found()}`);
    return elements;
  }

  #string(): string {
    const from = this.#at;
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) {
      const character = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(character)) this.#failAt(from, 'a text in double quotes does not end');
      if (character < 0x20) this.#fail(`a text in double quotes contains ${this.#found()}; write \\n for a line break, \\t for a tab`);
      if (character === 0x5c) this.#at++;
    }
    this.#at++;
    try {
      return JSON.parse(this.#text.slice(from, this.#at)) as string;
    } catch {
      return this.#failAt(
        from,
        'a text in double quotes contains a "\\" that is not followed by one of "\\/bfnrtu; write \\\\ for a backslash',
      );
    }
  }

  #literal(): unknown {
    const word = /^[-+.\w]+/.exec(this.#text.slice(this.#at, this.#at + 64))?.[0] ?? '';
    if (/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)$/.test(word)) {
      this.#at += word.length;
      return JSON.parse(word) as unknown;
    }
    return this.#fail(`expected a value, found ${this.#found()}${this.#trailingComma(']')}`);
  }

  #skip(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'end')) this.#at++;
  }

  #found(): string {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    if (rest === '') return 'the end of the file';
    if (rest.startsWith('//') || rest.startsWith('/*') || rest.startsWith('#')) return 'a comment, which JSON does not have';
    if (rest.startsWith("'")) return 'a single quote; texts stand in double quotes';
    const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    if (character < ' ') return character === '\n' || character === '\r' ? 'a line break' : 'a control character';
    return JSON.stringify(/^\w+/.exec(rest)?.[0] ?? character);
  }

  #trailingComma(close: string): string {
    return this.#text[this.#at] === close ? ' (there is a comma too many before it)' : '';
  }

  #position(offset: number = this.#at): JsonPosition {
    const before = this.#text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    return { offset, line: before.split('\n').length, column: offset - lineStart + 1 };
  }

  #fail(message: string): never {
    return this.#failAt(this.#at, message);
  }

  #failAt(offset: number, message: string): never {
    throw new JsonSyntaxError(message, this.#position(offset));
  }
}
