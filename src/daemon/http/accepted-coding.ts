/** How a body may be compressed, the smallest first. */
export const codings = ['br', 'gzip'] as const;
export type Coding = (typeof codings)[number];

/** The best that a client takes, by its `Accept-Encoding` (RFC 9110, 12.5.3); undefined: as it is. */
export function acceptedCoding(header: string | undefined): Coding | undefined {
  const weights = new Map<string, number>();
  for (const part of (header ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((text) => /^q\s*=/.test(text))?.replace(/^q\s*=\s*/, '') ?? '1';
    weights.set(name, Number(weight));
  }
  return codings.find((coding) => (weights.get(coding) ?? weights.get('*') ?? 0) > 0);
}
