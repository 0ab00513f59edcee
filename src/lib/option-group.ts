import { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';

declare module 'zod' {
  /** What is told about an option beside its type. Read by the reference, the JSON Schema and the handling of old names. */
  interface GlobalMeta {
    /** First release of PGHoard that knew it, where that is later than 1.4.0 or known. */
    since?: string;
    /** Older or mistaken spellings of the key that are still read, with a warning. */
    spellings?: readonly string[];
    /** Deprecated: what to write instead, as the end of "…, use". */
    instead?: string;
    /** Read for compatibility, but without effect: why. */
    unused?: string;
    /** The default in words, where it is not a constant. */
    defaultText?: string;
  }
}

/** Tells what an unknown key is instead of one of this group, such as one of another group, as an end of "unknown key…". */
export type ExplainUnknown = (key: string) => string | undefined;

/** A group of options: an object in which unknown keys are errors that name what may have been meant. The error has one line per key, in their order. */
export function optionGroup<Shape extends z.ZodRawShape>(
  shape: Shape,
  explain: ExplainUnknown = () => undefined,
): z.ZodObject<Shape, z.core.$strict> {
  const unknownKey = (key: string) => `unknown key${explain(key) ?? didYouMean(key, Object.keys(shape))}`;
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? issue.keys.map(unknownKey).join('\n') : undefined),
  });
}

/** A directory or file name. */
export const pathOption = z.string().min(1);

/** Any TCP or UDP port that can be connected to. */
export const portOption = z.int().min(1).max(65_535);

/** A number that may also be written as text, because the original took both. */
export const numberOrText = z.union([z.number(), z.string().regex(/^\d+(\.\d+)?$/)], 'must be a number').transform(Number);

/** Names and values to be attached to metrics. Null: the name alone. */
export const tagsOption = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()], 'must be text'))
  .transform(
    (tags): Readonly<Record<string, string | null>> =>
      Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, value === null ? null : String(value)])),
  );

/** The schema beneath `optional`, `nullable`, `default`, `prefault` and `transform`: what is written in the file. */
export function withoutWrappers(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodPipe) return withoutWrappers(schema.in);
  const wrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return wrapped ? withoutWrappers(schema.unwrap()) : schema;
}

/** What an option that is not in the file is read as, as it would be written; undefined if it must be given or the default is none of the file's values. */
export function defaultOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  if (schema instanceof z.ZodPipe) return defaultOf(schema.in);
  return schema instanceof z.ZodNullable || schema instanceof z.ZodOptional ? defaultOf(schema.unwrap()) : undefined;
}
