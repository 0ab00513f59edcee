/** Names of settings whose values are secret, in sections of any kind. */
const secretName = /pass|secret|token|^key$|account_key|^private|connection_string|authorization/i;
/** What only leads to a secret, or names one. */
const harmlessName = /_(id|uri|url|file|path|command)$/i;
/** Whoever knows one of these can speak in our place. */
const secretSection = /^(headers|webhook|notifier)$|heartbeat/;

/**
 * Everything secret that stands in a configuration, for those who must not let it out. What is also somewhere in it that is not secret, such as a
 * password that equals a user name, is left out: hiding that would hide too much.
 */
export function secretsIn(config: object): Set<string> {
  const secrets = new Set<string>();
  const others = new Set<string>();
  const look = (name: string, value: unknown, within: boolean): void => {
    const isSecret = within || secretSection.test(name);
    if (typeof value === 'string') {
      const isOne = isSecret || (secretName.test(name) && !harmlessName.test(name));
      for (const part of partsOfUrl(value, isSecret)) secrets.add(part);
      (isOne && !value.startsWith('/') ? secrets : others).add(value);
    } else if (Array.isArray(value)) for (const item of value) look(name, item, isSecret);
    else if (typeof value === 'object' && value !== null) for (const [key, inner] of Object.entries(value)) look(key, inner, isSecret);
  };
  look('', config, false);
  return new Set([...secrets].filter((secret) => !others.has(secret)));
}

/** The password, as it is written and as it is meant; of a secret address also what follows the host. */
function partsOfUrl(text: string, isSecret: boolean): string[] {
  if (!URL.canParse(text) || !text.includes('://')) return [];
  const { password, pathname, search } = new URL(text);
  const parts = isSecret && pathname + search !== '/' ? [pathname + search] : [];
  return password === '' ? parts : [...parts, password, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
