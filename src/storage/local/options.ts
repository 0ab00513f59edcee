import { z } from 'zod';
import { optionGroup, pathOption } from '../../lib/option-group.ts';
import { commonStorageOptions } from '../common-options.ts';

/** A directory, often a mounted one. */
export const localStorageOptions = optionGroup({
  storage_type: z.literal('local').meta({ description: 'A directory.' }),
  directory: pathOption.meta({ description: 'The directory; made where it is missing.' }),
  ...commonStorageOptions.shape,
});

export type LocalStorageOptions = z.output<typeof localStorageOptions>;
