import type { z } from 'zod';
import { didYouMean } from '../lib/did-you-mean.ts';

type RawIssue = z.core.$ZodRawIssue;

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  null: 'null',
};

/** What is wrong, as the end of "KEY: …". Values that may be secret are not repeated. */
export function describeIssue(issue: RawIssue): string | undefined {
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) return 'is missing';
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, issue.input);
    case 'invalid_value':
      return wrongChoice(issue.values, issue.input);
    case 'too_small':
      return tooSmall(issue.origin, Number(issue.minimum), issue.inclusive !== false);
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'must be a URL beginning with http:// or https://' : undefined;
    default:
      return undefined;
  }
}

function wrongType(expected: string, input: unknown): string {
  const name = typeNames[expected] ?? expected;
  if (expected === 'int' && typeof input === 'number') return `must be ${name}, is ${input}`;
  return `must be ${name}, is ${typeNameOf(input)}`;
}

function typeNameOf(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'a list';
  return typeNames[typeof input] ?? typeof input;
}

function wrongChoice(values: readonly unknown[], input: unknown): string {
  const choice = values.map((value) => JSON.stringify(value)).join(', ');
  const must = values.length === 1 ? `must be ${choice}` : `must be one of ${choice}`;
  if (typeof input !== 'string') return `${must}, is ${typeNameOf(input)}`;
  return `${must}, is ${JSON.stringify(input)}${didYouMean(
    input,
    values.filter((value) => typeof value === 'string'),
  )}`;
}

function tooSmall(origin: string, minimum: number, inclusive: boolean): string {
  if (origin === 'string') return 'must not be empty';
  return inclusive ? `must be at least ${minimum}` : `must be more than ${minimum}`;
}
