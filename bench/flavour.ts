/** How what is stored is packed. Each tool takes the nearest it has: snappy and lz4 are of one kind. */
export interface Flavour {
  readonly name: string;
  readonly compression: 'fast' | 'zstd';
  readonly isEncrypted: boolean;
}

export const flavours = {
  plain: { name: 'fast, plain', compression: 'fast', isEncrypted: false },
  encrypted: { name: 'fast, encrypted', compression: 'fast', isEncrypted: true },
  zstd: { name: 'zstd, plain', compression: 'zstd', isEncrypted: false },
} as const satisfies Record<string, Flavour>;

export type FlavourName = keyof typeof flavours;
