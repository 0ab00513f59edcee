import { z } from 'zod';
import { defaultOf } from '../lib/option-group.ts';
import { fileOptions } from './schema.ts';

/** What of JSON Schema we read again to describe types. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The configuration file as a JSON Schema, for editors. */
export function configJsonSchema(): JsonSchema {
  return { ...toJsonSchema(fileOptions), title: 'Configuration of pghoard' };
}

/** Describes what is written in a file, not what it is read as. */
export function toJsonSchema(options: z.core.$ZodType): JsonSchema {
  return z.toJSONSchema(options, { io: 'input', override: ({ jsonSchema, zodSchema }) => tidy(jsonSchema, zodSchema) });
}

/** Turns what we tell about options into what editors show, and drops limits that say nothing. */
function tidy(json: JsonSchema, option: z.core.$ZodType): void {
  const { unused, deprecated, instead, defaultText } = z.globalRegistry.get(option) ?? {};
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  for (const ours of ['since', 'spellings', 'instead', 'unused', 'defaultText']) delete json[ours];
  const value = defaultOf(option);
  if (value !== undefined) json.default = value;
  if (json.description === undefined) return;
  const remarks = [
    unused === undefined ? deprecated && instead !== undefined && `Deprecated: use ${instead}.` : `Has no effect: ${unused}.`,
    defaultText !== undefined && `Default: ${defaultText}.`,
  ];
  json.description = [json.description, ...remarks.filter((remark) => typeof remark === 'string')].join(' ');
}
