import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatConfig, keySnippet, siteForKey, withKey } from './key-config.ts';

const key = { id: 'k2', publicKey: 'PUBLIC', privateKey: 'PRIVATE' };
const config = {
  backup_sites: {
    one: { pg_data_directory: '/pg', encryption_key_id: 'k1', encryption_keys: { k1: { public: 'a', private: 'b' } } },
    two: {},
  },
  backup_location: '/backups',
};

test('the key is added to the site and chosen; all else stays, also older keys', () => {
  assert.deepEqual(withKey(config, 'one', key), {
    backup_location: '/backups',
    backup_sites: {
      one: {
        pg_data_directory: '/pg',
        encryption_key_id: 'k2',
        encryption_keys: { k1: { public: 'a', private: 'b' }, k2: { public: 'PUBLIC', private: 'PRIVATE' } },
      },
      two: {},
    },
  });
  assert.deepEqual(keySnippet('three', key), {
    backup_sites: { three: { encryption_key_id: 'k2', encryption_keys: { k2: { public: 'PUBLIC', private: 'PRIVATE' } } } },
  });
});

test('the site is the named one or the only one', () => {
  assert.equal(siteForKey(config, 'two', 'k1'), 'two');
  assert.equal(siteForKey({ backup_sites: { only: {} } }, undefined, 'k1'), 'only');
});

test('what cannot be done is refused', () => {
  const cases: [string, () => unknown, string][] = [
    ['key id is taken', () => siteForKey(config, 'one', 'k1'), 'key-exists'],
    ['no site named among several', () => siteForKey(config, undefined, 'k9'), 'site-missing'],
    ['no sites', () => siteForKey({}, undefined, 'k9'), 'site-missing'],
    ['unknown site', () => siteForKey(config, 'three', 'k9'), 'site-unknown'],
    ['a name every object has', () => siteForKey(config, 'toString', 'k9'), 'site-unknown'],
    ['config is a list', () => siteForKey([], undefined, 'k9'), 'config-invalid'],
    ['sites are text', () => siteForKey({ backup_sites: 'x' }, undefined, 'k9'), 'config-invalid'],
    ['keys are text', () => siteForKey({ backup_sites: { a: { encryption_keys: 'x' } } }, 'a', 'k9'), 'config-invalid'],
  ];
  for (const [name, act, code] of cases) assert.throws(act, { code }, name);
});

test('text has keys in order and an indent of 4, and lists stay in their order', () => {
  assert.equal(
    formatConfig({ b: [3, { d: 1, c: 'é' }], a: null }),
    '{\n    "a": null,\n    "b": [\n        3,\n        {\n            "c": "é",\n            "d": 1\n        }\n    ]\n}\n',
  );
});
