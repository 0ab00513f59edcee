import type { z } from 'zod';
import { completeConfig } from './complete.ts';
import type { Config, SiteConfig } from './config.ts';
import { describeIssue } from './describe-issue.ts';
import { checkFile } from './file-rules.ts';
import { type JsonDocument, type JsonPath, JsonSyntaxError, parseJson } from './json.ts';
import { modernise } from './legacy.ts';
import { ConfigError, formatPath, ProblemList } from './problem.ts';
import { globalOptions, siteOptions } from './schema.ts';
import { checkSite, type SiteInFile, type Verdicts } from './site-rules.ts';

/** A configuration on its way from text to what the daemon and the tools use, with what was found out about it so far. */
export interface ConfigCheck extends Verdicts {
  readonly sites: Readonly<Record<string, SiteConfig>>;
  /** Throws a {@link ConfigError} if there are problems. */
  readonly result: () => Config;
}

/** Checks everything that can be checked without looking elsewhere. Throws a {@link ConfigError} at once for what is no JSON object in UTF-8. */
export function checkConfigText(file: string, bytes: Uint8Array, forDaemon: boolean): ConfigCheck {
  const document = parseDocument(file, bytes);
  const raw = document.value as Record<string, unknown>;
  const problems = new ProblemList(document.positions);
  for (const { path } of document.repeated) problems.add(path, 'is given twice');
  const warnings = modernise(raw, document.positions);
  const verdicts: Verdicts = {
    problem: (path, message) => problems.add(path, message),
    warning: (path, message) => void warnings.push(`${formatPath(path)} ${message}`),
  };

  const globals = readOptions(globalOptions, raw, [], problems);
  const sites = readSites(raw, problems);
  const config = completeConfig(file, globals.options, new Map(sites.map(({ name, options }) => [name, options])));
  for (const site of sites) checkSite(site, forDaemon, verdicts);
  checkFile({ config, badKeys: globals.bad, sites, forDaemon }, verdicts);
  return {
    ...verdicts,
    sites: config.backup_sites,
    result: () => {
      if (problems.sorted.length > 0) throw new ConfigError(file, problems.sorted);
      return { ...config, warnings };
    },
  };
}

function parseDocument(file: string, bytes: Uint8Array): JsonDocument {
  const fail = (message: string, error?: JsonSyntaxError) => new ConfigError(file, [{ path: '', message, position: error?.position }]);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail('is not text in UTF-8');
  }
  try {
    const document = parseJson(text);
    if (isObject(document.value)) return document;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw fail(`does not contain valid JSON: ${error.message}`, error);
  }
  throw fail('must be a JSON object, {"backup_location": …, "backup_sites": {…}}');
}

function readSites(raw: Record<string, unknown>, problems: ProblemList): SiteInFile[] {
  // What is not an object at all is a problem of the file's own options.
  if (!isObject(raw.backup_sites)) return [];
  return Object.entries(raw.backup_sites).map(([name, site]): SiteInFile => {
    const isGiven = (key: string) => isObject(site) && Object.hasOwn(site, key);
    return { name, isGiven, ...readOptions(siteOptions, site, ['backup_sites', name], problems) };
  });
}

/** The options of a group, with defaults in place of bad values, so that all rules that do not depend on those can be asked. */
function readOptions<Shape extends z.ZodRawShape>(
  group: z.ZodObject<Shape, z.core.$strict>,
  value: unknown,
  path: JsonPath,
  problems: ProblemList,
): { readonly options: z.output<typeof group>; readonly bad: ReadonlySet<string> } {
  const parsed = group.safeParse(value, { error: describeIssue });
  if (parsed.success) return { options: parsed.data, bad: new Set() };
  for (const issue of parsed.error.issues) addIssue(issue, path, problems);
  const refused = new Set(parsed.error.issues.map(({ path: [key] }) => key));
  const keys = Object.keys(group.shape);
  const bad = new Set(keys.filter((key) => refused.has(key) || (refused.has(undefined) && !isObject(value))));
  const given = isObject(value) ? value : {};
  const readable = Object.fromEntries(keys.filter((key) => !bad.has(key) && Object.hasOwn(given, key)).map((key) => [key, given[key]]));
  return { options: group.parse(readable), bad };
}

function addIssue(issue: z.core.$ZodIssue, path: JsonPath, problems: ProblemList): void {
  const issuePath: JsonPath = [...path, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  if (issue.code !== 'unrecognized_keys') {
    problems.add(issuePath, issue.message);
    return;
  }
  const messages = issue.message.split('\n');
  for (const [index, key] of issue.keys.entries()) problems.add([...issuePath, key], messages[index] ?? 'unknown key');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
