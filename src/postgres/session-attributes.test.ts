import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import {
  checkRole,
  parseSessionAttribute,
  roundsOf,
  type ServerRole,
  type SessionAttribute,
  sessionAttributes,
} from './session-attributes.ts';

const primary: ServerRole = { isStandby: false, isReadOnly: false };
const readOnlyPrimary: ServerRole = { isStandby: false, isReadOnly: true };
const standby: ServerRole = { isStandby: true, isReadOnly: true };

const accepted: Readonly<Record<SessionAttribute, readonly ServerRole[]>> = {
  any: [primary, readOnlyPrimary, standby],
  'read-write': [primary],
  'read-only': [readOnlyPrimary, standby],
  primary: [primary, readOnlyPrimary],
  standby: [standby],
  'prefer-standby': [primary, readOnlyPrimary, standby],
};

for (const [wanted, fitting] of Object.entries(accepted) as [SessionAttribute, readonly ServerRole[]][]) {
  test(`target_session_attrs=${wanted}`, () => {
    for (const role of [primary, readOnlyPrimary, standby]) {
      const check = () => checkRole(wanted, role, 'a@b:5432/c');
      if (fitting.includes(role)) check();
      else assert.throws(check, (error) => isOperatorError(error, 'postgres-refused') && error.retryable);
    }
  });
}

test('names', () => {
  assert.equal(parseSessionAttribute(undefined), 'any');
  for (const name of sessionAttributes) assert.equal(parseSessionAttribute(name), name);
  for (const name of ['', 'master', 'ANY'])
    assert.throws(
      () => parseSessionAttribute(name),
      (error) => isOperatorError(error, 'conninfo-invalid'),
    );
});

test('only prefer-standby goes round twice', () => {
  assert.deepEqual(roundsOf('prefer-standby'), ['standby', 'any']);
  assert.deepEqual(roundsOf('primary'), ['primary']);
});
