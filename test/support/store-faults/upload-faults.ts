import assert from 'node:assert/strict';
import { isOperatorError } from '../../../src/lib/errors.ts';
import type { FaultWorld, StoreFault } from './fault-world.ts';
import { assertHasPattern, assertMissing, assertNoLeftovers, bytesOf, failureOf, metadata, read, repeating, threeParts } from './tools.ts';

async function resetSmall({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  const text = 'twenty-six bytes of content';
  for (const afterBytes of [1, 2, 13, text.length - 1]) {
    proxy.inject(dialect.isUpload, { kind: 'reset-upload', afterBytes }, 20);
    const failure = await failureOf(store.put('small', bytesOf(text), { metadata }));
    assert.deepEqual([failure.code, failure.retryable], ['store-unreachable', true], `after ${afterBytes} bytes`);
    await assertMissing(direct, 'small');
    proxy.heal();
  }
  await store.put('small', bytesOf(text), { metadata });
  assert.equal(await read(direct, 'small'), text);
}

async function resetInParts(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect, partBytes } = world;
  const { source, size } = threeParts(world);
  for (const [number, afterBytes] of [1, partBytes - 1, 1_000].entries()) {
    let uploads = 0;
    proxy.inject((request) => dialect.isUpload(request) && uploads++ === number, { kind: 'reset-upload', afterBytes }, 1);
    await store.put(`large${number}`, source, { metadata });
    assert.ok(proxy.seen.filter(dialect.isUpload).length > 3, 'the part was not sent again');
    await assertHasPattern(direct, `large${number}`, size);
    proxy.heal();
  }
  await assertNoLeftovers(direct);
}

async function neverInParts(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  let uploads = 0;
  proxy.inject((request) => dialect.isUpload(request) && ++uploads > 2, { kind: 'reset-upload', afterBytes: 5_000 });
  const failure = await failureOf(store.put('large', threeParts(world).source, { metadata }));
  assert.deepEqual([failure.code, failure.retryable], ['store-unreachable', true]);
  await assertMissing(direct, 'large');
  await assertNoLeftovers(direct);
}

async function commitFails(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  proxy.inject(dialect.isCommit, { kind: 'answer', answer: dialect.busy(0) });
  const failure = await failureOf(store.put('large', threeParts(world).source, { metadata }));
  assert.ok(failure.retryable, failure.code);
  await assertMissing(direct, 'large');
  await assertNoLeftovers(direct);
}

async function successIsChecked(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  const failed = dialect.failedWithSuccess ?? { status: 200 };
  proxy.inject(dialect.isCommit, { kind: 'answer', answer: failed });
  const failure = await failureOf(store.put('large', threeParts(world).source, { metadata }));
  assert.notEqual(failure.code, 'object-missing');
  await assertMissing(direct, 'large');
}

async function swallowed({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  proxy.inject(dialect.isUpload, { kind: 'answer', answer: { status: 200 } });
  const failure = await failureOf(store.put('small', bytesOf('content'), { metadata }));
  assert.notEqual(failure.code, 'object-missing');
  await assertMissing(direct, 'small');
}

async function answerLost({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  proxy.inject(dialect.isUpload, { kind: 'lose-answer' }, 1);
  const again = async () => {
    try {
      return await store.put('small', bytesOf('content'), { metadata });
    } catch (error) {
      assert.ok(isOperatorError(error) && error.retryable, String(error));
      return store.put('small', bytesOf('content'), { metadata });
    }
  };
  assert.equal((await again()).size, 7);
  assert.equal(await read(direct, 'small'), 'content');
}

async function answerToCreateLost({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  proxy.inject(dialect.isUpload, { kind: 'lose-answer' }, 1);
  const outcomes: string[] = [];
  for (const text of ['first', 'first', 'other']) {
    const put = store.put('small', bytesOf(text), { metadata, createOnly: true });
    outcomes.push(
      await put.then(
        () => 'created',
        (error: unknown) => (isOperatorError(error) ? error.code : String(error)),
      ),
    );
  }
  // The first may have been found out by asking, or not; but never are two of them told that they made it, and the content is that of the first.
  assert.ok(['created', 'store-unreachable', 'object-exists'].includes(outcomes[0] ?? ''), outcomes.join());
  assert.deepEqual(outcomes.slice(1), ['object-exists', 'object-exists']);
  assert.equal(await read(direct, 'small'), 'first');
}

async function answerToCommitLost(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  const { source, size } = threeParts(world);
  proxy.inject(dialect.isCommit, { kind: 'lose-answer' }, 1);
  try {
    await store.put('large', source, { metadata });
  } catch (error) {
    assert.ok(isOperatorError(error) && error.retryable, String(error));
    await store.put('large', source, { metadata });
  }
  await assertHasPattern(direct, 'large', size);
  await assertNoLeftovers(direct);
}

async function stalledUpload(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  proxy.inject(dialect.isUpload, { kind: 'stall' });
  const failure = await failureOf(store.put('small', bytesOf('content'), { metadata }));
  assert.deepEqual([failure.code, failure.retryable], ['store-unreachable', true]);
  await assertMissing(direct, 'small');
}

async function deniedWriting(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  await direct.put('there', bytesOf('content'), { metadata });
  proxy.inject((request) => ['PUT', 'POST', 'PATCH'].includes(request.method), { kind: 'answer', answer: dialect.denied });
  const failure = await failureOf(store.put('small', bytesOf('content'), { metadata }));
  assert.deepEqual([failure.code, failure.retryable], ['store-denied', false]);
  assert.equal(await read(repeating(store), 'there'), 'content');
}

async function deniedInTheMiddle(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  let uploads = 0;
  proxy.inject((request) => dialect.isUpload(request) && ++uploads > 1, { kind: 'answer', answer: dialect.denied });
  const failure = await failureOf(store.put('large', threeParts(world).source, { metadata }));
  assert.deepEqual([failure.code, failure.retryable], ['store-denied', false]);
  assert.ok(uploads <= 6, `${uploads} uploads although each is refused`);
  await assertMissing(direct, 'large');
  await assertNoLeftovers(direct);
}

export const uploadFaults: readonly StoreFault[] = [
  { row: 1, fact: 'a connection that is reset anywhere in an upload leaves no object', holds: resetSmall },
  { row: 1, fact: 'a part whose connection is reset is sent again, and only that', holds: resetInParts },
  { row: 1, fact: 'an upload whose parts never get through leaves no object and no parts', holds: neverInParts },
  { row: 2, fact: 'a success that says that it failed is a failure', holds: successIsChecked },
  { row: 3, fact: 'a success without an object is found out', holds: swallowed },
  { row: 6, fact: 'an upload whose answer is lost can be repeated', holds: answerLost },
  { row: 6, fact: 'of uploads that only create, none replaces one whose answer was lost', holds: answerToCreateLost },
  { row: 6, fact: 'an upload in parts whose last answer is lost can be repeated', holds: answerToCommitLost },
  { row: 7, fact: 'an upload in parts that cannot be finished leaves no object and no parts', holds: commitFails },
  { row: 12, fact: 'where only writing is denied, that is said, and reading goes on', holds: deniedWriting },
  { row: 26, fact: 'credentials that are refused in the middle of an upload end it, without trying on and on', holds: deniedInTheMiddle },
  { row: 29, fact: 'an upload that nobody answers ends', holds: stalledUpload },
];
