import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { isOperatorError } from '../lib/errors.ts';
import { optionGroup } from '../lib/option-group.ts';
import { checkKeyPair, checkPrivateKey, checkPublicKey } from './keys.ts';

/** Bit that the xz library adds to a preset for its slower "extreme" variant. */
export const lzmaExtremeBit = 0x8000_0000;

export const compressionOptions = optionGroup({
  algorithm: z.enum(['snappy', 'lzma', 'zstd']).default('snappy').meta({
    description: 'How objects are compressed.',
  }),
  level: z
    .int()
    .min(0)
    .max(lzmaExtremeBit + 9)
    .default(0)
    .meta({
      description: 'Effort: 0 to 9 for lzma, 0 (meaning 3) to 22 for zstd; snappy has none.',
      since: '1.3',
    }),
  thread_count: z
    .int()
    .min(1)
    .optional()
    .transform((count) => count ?? availableParallelism())
    .meta({ description: 'How many objects are compressed or decompressed at once.', defaultText: 'number of processors' }),
});

/** Compression, for all sites. */
export const codecGlobalOptions = optionGroup({
  compression: compressionOptions.prefault({}).meta({ description: 'Compression of what is stored.' }),
  measure_steps: z.boolean().default(false).meta({
    description:
      'Whether to measure the processor time of each step of the work on contents, for the metric `pghoard.job_step_seconds`. Costs about a percent.',
  }),
});

/** Why a check refuses a key; its messages do not repeat the key. */
function whyRefused(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!isOperatorError(error)) throw error;
    return error.message;
  }
}

const pemOption = (check: (pem: string) => unknown) =>
  z.string().superRefine((pem, context) => {
    const message = whyRefused(() => check(pem));
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

export const encryptionKeyOptions = optionGroup({
  public: pemOption(checkPublicKey).nullable().default(null).meta({
    description: 'PEM text of the public RSA key (SubjectPublicKeyInfo), needed to store.',
  }),
  private: pemOption(checkPrivateKey).nullable().default(null).meta({
    description: 'PEM text of the private RSA key (PKCS#8), needed to restore and best kept off the backup host.',
  }),
}).superRefine((keys, context) => {
  const { public: publicKey, private: privateKey } = keys;
  if (publicKey === null || privateKey === null) return;
  const message = whyRefused(() => checkKeyPair(publicKey, privateKey));
  if (message !== undefined) context.addIssue({ code: 'custom', path: ['public'], message });
});

/** Encryption of a site's objects. */
export const codecSiteOptions = optionGroup({
  encryption_key_id: z.string().min(1).nullable().default(null).meta({
    description: 'Which of `encryption_keys` encrypts new objects. Null: stored unencrypted.',
  }),
  encryption_keys: z.record(z.string().min(1), encryptionKeyOptions).nullable().default(null).meta({
    description: 'RSA key pairs by their id, as pghoard_create_keys writes them. Objects name the id they were encrypted with.',
  }),
});

export type CompressionOptions = z.output<typeof compressionOptions>;
export type CodecGlobalOptions = z.output<typeof codecGlobalOptions>;
export type EncryptionKeyOptions = z.output<typeof encryptionKeyOptions>;
export type CodecSiteOptions = z.output<typeof codecSiteOptions>;
