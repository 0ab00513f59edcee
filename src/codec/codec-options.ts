/** Names as they stand in the metadata key `compression-algorithm`. */
export type CompressionAlgorithm = 'snappy' | 'lzma' | 'zstd';

export interface CompressionChoice {
  readonly algorithm: CompressionAlgorithm;
  readonly level: number;
  /** Extra threads inside one object, where the codec has them (xz). */
  readonly threads?: number;
}

/** Plain data, so that it can be sent to a worker. */
export interface SealOptions {
  readonly compression: CompressionChoice;
  /** Absent: not encrypted. PEM, SubjectPublicKeyInfo. */
  readonly publicKey?: string;
  /** Digest of the plaintext to compute on the way, as node:crypto names it (`sha1`). */
  readonly plainHash?: string;
}

export interface SealResult {
  readonly plainBytes: number;
  readonly sealedBytes: number;
  /** Lower-case hex; where `plainHash` was asked for. */
  readonly plainHash?: string;
}

/** Plain data, so that it can be sent to a worker. */
export interface UnsealOptions {
  /** Absent: not compressed. */
  readonly compression?: CompressionAlgorithm;
  /** Absent: not encrypted. PEM, PKCS#8. */
  readonly privateKey?: string;
  readonly plainHash?: string;
  /** `plainHash` will be compared with what was noted when it was sealed: checksums in the compressed stream would find nothing that this does not. */
  readonly isHashCompared?: boolean;
}

export interface UnsealResult {
  readonly plainBytes: number;
  readonly sealedBytes: number;
  readonly plainHash?: string;
}

/** Takes bytes that are only valid during the call. A promise holds the next bytes back. */
export type ByteSink = (bytes: Uint8Array) => void | Promise<void>;
