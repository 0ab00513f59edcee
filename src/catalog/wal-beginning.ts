/** The beginning of a segment that is not finished, as the store has it: so many bytes of WAL, then zeros up to the length of a segment. */
export interface WalBeginning {
  /** 24 hex digits. */
  readonly segment: string;
  readonly bytes: number;
}

const pattern = /^([0-9A-F]{24})\.([0-9A-F]{8})\.partial$/;

/** Behind the segment's name the number of bytes, so that the longest one sorts last. */
export function beginningName({ segment, bytes }: WalBeginning): string {
  return `${segment}.${bytes.toString(16).toUpperCase().padStart(8, '0')}.partial`;
}

/** Undefined for anything else, such as the partial segments of ended timelines beside them. */
export function parseBeginningName(name: string): WalBeginning | undefined {
  const match = pattern.exec(name);
  return match ? { segment: match[1] as string, bytes: Number.parseInt(match[2] as string, 16) } : undefined;
}
