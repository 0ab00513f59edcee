import { z } from 'zod';
import { withoutWrappers } from '../lib/option-group.ts';
import { type JsonSchema, toJsonSchema } from './json-schema.ts';

/** A Markdown table of the keys of a group. Keys that are groups themselves get a line only; `isSection` says which have a section of their own. */
export function optionTable(shape: z.core.$ZodShape): string {
  const rows = Object.entries(shape).map(([key, option]) => `| ${optionRow(key, option).join(' | ')} |`);
  return ['| Key | Type | Default | Since | |', '|---|---|---|---|---|', ...rows].join('\n');
}

function optionRow(key: string, option: z.core.$ZodType): string[] {
  const about = z.globalRegistry.get(option) ?? {};
  const json = toJsonSchema(option);
  return [`\`${key}\``, typeText(json), defaultText(option, json), about.since ?? '', describe(about)].map((cell) =>
    cell.replaceAll('|', '\\|'),
  );
}

function describe({ description = '', deprecated, instead, unused, spellings }: z.core.GlobalMeta): string {
  const remarks = [
    unused === undefined ? deprecated && instead !== undefined && `*Deprecated: use ${instead}.*` : `*Has no effect: ${unused}.*`,
    spellings !== undefined && `*Also read as ${spellings.map((spelling) => `\`${spelling}\``).join(', ')}.*`,
  ];
  return [description, ...remarks.filter((remark) => typeof remark === 'string')].join(' ');
}

function defaultText(option: z.core.$ZodType, json: JsonSchema): string {
  const words = z.globalRegistry.get(option)?.defaultText;
  if (words !== undefined) return words;
  if (json.default !== undefined) return `\`${JSON.stringify(json.default)}\``;
  return z.safeParse(option, undefined).success || json.const !== undefined ? '' : '**needed**';
}

/** A type in words. */
function typeText(json: JsonSchema): string {
  const alternatives = json.anyOf ?? json.oneOf;
  if (alternatives !== undefined) {
    const texts = alternatives.map((each) => (typeof each === 'object' ? typeText(each) : 'anything'));
    return [...new Set(texts.flatMap((text) => text.split(' or ')))].join(' or ');
  }
  if (json.const !== undefined) return `\`${JSON.stringify(json.const)}\``;
  if (json.enum !== undefined) return json.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  const types = Array.isArray(json.type) ? json.type : [json.type];
  return types.map((type) => namedType(type, json)).join(' or ');
}

function namedType(type: string | undefined, json: JsonSchema): string {
  switch (type) {
    case 'string':
      return 'text';
    case 'integer':
      return `whole number${rangeText(json)}`;
    case 'number':
      return `number${rangeText(json)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `list of ${typeof json.items === 'object' && !Array.isArray(json.items) ? typeText(json.items) : 'values'}`;
    case 'object':
      return 'object';
    case 'null':
      return 'null';
    default:
      return 'any';
  }
}

function rangeText({ minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` ${minimum}–${maximum}`;
  if (minimum !== undefined) return ` ≥ ${minimum}`;
  return exclusiveMinimum === undefined ? '' : ` > ${exclusiveMinimum}`;
}

/** The keys of a group beneath its wrappers. */
export function shapeOfGroup(option: z.core.$ZodType): z.core.$ZodShape {
  const inner = withoutWrappers(option);
  return inner instanceof z.ZodObject ? inner.shape : {};
}
