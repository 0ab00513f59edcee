import { z } from 'zod';
import { optionGroup } from '../lib/option-group.ts';

const since = '3.0';

export const verifyOptions = optionGroup({
  bytes_per_day: z
    .int()
    .min(0)
    .default(0)
    .meta({
      description:
        'So many bytes of what is stored are read again in a day, on average, when nothing else is to be done. 0: none; `pghoard verify` reads when somebody asks for it. Stores of clouds ' +
        'may charge for what leaves them. Needs the private key where backups are encrypted.',
      example: 107_374_182_400,
      since,
    }),
  again_after_days: z.number().gt(0).default(30).meta({
    description: 'What was found sound is read again after so many days, what was read longest ago first.',
    since,
  }),
});

/** Reading again what is stored of a site. */
export const verifySiteOptions = optionGroup({
  verify: verifyOptions.prefault({}).meta({
    description:
      'Whether what is stored is still as it was stored: see [Is it still as it was stored?](guide.md#is-it-still-as-it-was-stored)',
    since,
  }),
});

export type VerifyOptions = z.output<typeof verifyOptions>;
export type VerifySiteOptions = z.output<typeof verifySiteOptions>;
