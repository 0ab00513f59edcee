import { readFile, realpath, stat } from 'node:fs/promises';
import { createKeyPair } from '../codec/keys.ts';
import { JsonSyntaxError, parseJson } from '../config/json.ts';
import { writeFileAtomicWith } from '../lib/atomic-file.ts';
import { OperatorError } from '../lib/errors.ts';
import { describeCreateKeys, type KeyFlags } from './create-keys-flags.ts';
import { formatConfig, keySnippet, type NewKey, siteForKey, withKey } from './key-config.ts';
import { runCommand } from './main.ts';
import { parseFlags } from './parse-flags.ts';

const otherReaders = 0o077;

/** Creates an encryption key and puts it into the configuration file, or shows what belongs there. */
async function main(argv: string[]): Promise<number> {
  const command = describeCreateKeys();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  const flags = command.opts<KeyFlags>();
  checkKeyId(flags.keyId);
  if (flags.config === undefined) await showKey(flags);
  else await saveKey(flags, await realFile(flags.config));
  return 0;
}

async function showKey(flags: KeyFlags): Promise<void> {
  if (flags.site === undefined) {
    throw new OperatorError('site-missing', 'there is neither a site nor a configuration file to put the key into', {
      hint: 'Give --site to see what belongs into the configuration, or --config to have it changed.',
    });
  }
  process.stdout.write(formatConfig(keySnippet(flags.site, await createKey(flags))));
}

async function saveKey(flags: KeyFlags, path: string): Promise<void> {
  const site = siteForKey(await readConfig(path), flags.site, flags.keyId);
  const key = await createKey(flags);
  // Read again: making the key takes a while.
  const config = withKey(await readConfig(path), site, key);
  const mode = await replaceFile(path, formatConfig(config));
  console.log(
    `Added encryption key ${key.id} to site ${site} in ${path}. New objects of the site are encrypted with it once pghoard has reloaded its configuration.`,
  );
  console.log(
    'Keep a copy of the private key in a safe place away from the backups: nothing that is encrypted can be restored without it.',
  );
  if ((mode & otherReaders) !== 0) {
    console.error(
      `Warning: ${path} now holds a private key and has the mode ${mode.toString(8)}. Others than its owner may be able to read it.`,
    );
  }
}

async function createKey(flags: KeyFlags): Promise<NewKey> {
  return { id: flags.keyId, ...(await createKeyPair(Number(flags.bits))) };
}

/** Metadata can hold no more in every store. */
function checkKeyId(id: string): void {
  if (/^[\x21-\x7e]+$/.test(id)) return;
  throw new OperatorError('key-id-invalid', `${JSON.stringify(id)} cannot be the id of a key`, {
    hint: 'Use letters, digits and punctuation, no spaces.',
  });
}

/** A configuration file may be a link to where it is kept; the link stays. */
async function realFile(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw new OperatorError('config-unreadable', `cannot read the configuration file ${path}`, { cause: error });
  }
}

async function readConfig(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new OperatorError('config-unreadable', `cannot read the configuration file ${path}`, { cause: error });
  });
  try {
    const { value, repeated } = parseJson(text);
    const [first] = repeated;
    if (!first) return value;
    throw new OperatorError('config-invalid', `${path} has ${first.path.join('.')} twice, again in line ${first.position.line}`, {
      hint: 'Remove one of them first: only the last one would be kept.',
    });
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { line, column } = error.position;
    throw new OperatorError('config-invalid', `${path}, line ${line}, column ${column}: ${error.message}`, {
      hint: 'Correct the file first.',
    });
  }
}

/** Whole or not at all, with the owner and mode that it had, and readable by nobody else before. Returns the mode. */
async function replaceFile(path: string, text: string): Promise<number> {
  const before = await stat(path);
  const mode = before.mode & 0o7777;
  try {
    await writeFileAtomicWith(path, { mode: 0o600 }, async (file) => {
      const mine = await file.stat();
      if (mine.uid !== before.uid || mine.gid !== before.gid) await file.chown(before.uid, before.gid);
      await file.chmod(mode);
      await file.writeFile(text);
    });
  } catch (error) {
    throw new OperatorError('config-unwritable', `cannot write the configuration file ${path}`, {
      cause: error,
      hint: 'It is unchanged. Run this as the owner of the file, or as root.',
    });
  }
  return mode;
}

runCommand('pghoard_create_keys', main);
