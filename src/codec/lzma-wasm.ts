import assert from 'node:assert';
import type { LZMAModule, WasmLzmaStream } from 'node-liblzma/wasm';
import { OperatorError } from '../lib/errors.ts';
import type { ByteSink } from './codec-options.ts';
import type { LzmaPreset } from './lzma-preset.ts';
import { objectCorrupt } from './object-corrupt.ts';
import { handOver, piecesOf, type Stage } from './stage.ts';

const inputBytes = 64 * 1024;
const outputBytes = 256 * 1024;
/** Preset 9 needs 65 MiB to decompress; a header can ask for 4 GiB. */
const decoderMemoryBytes = 128n * 1024n * 1024n;
/** LZMA_CONCATENATED: go on after the end of a stream; anything but another stream is then an error. */
const concatenatedFlag = 0x08;
const crc64 = 4;
const extremeFlag = 1 << 31;
const action = { run: 0, finish: 3 } as const;
/** lzma_ret */
const result = {
  ok: 0,
  streamEnd: 1,
  memoryError: 5,
  memoryLimit: 6,
  formatError: 7,
  optionsError: 8,
  dataError: 9,
  bufferError: 10,
} as const;

const damages: Readonly<Record<number, string>> = {
  [result.memoryLimit]: 'it asks for more memory than any stream of pghoard needs',
  [result.formatError]: 'it is not in a format of xz',
  [result.optionsError]: 'it uses options that are not known',
  [result.dataError]: 'its data are damaged',
  [result.bufferError]: 'it ends too early',
};

/** Compresses within this process: one .xz stream with CRC64. */
export function makeWasmLzmaEncoder({ preset, extreme }: LzmaPreset, sink: ByteSink): Stage {
  const flags = extreme ? preset | extremeFlag : preset;
  return new WasmLzma((module, stream) => module._lzma_easy_encoder(stream, flags, crc64), sink);
}

/** Decompresses within this process: .xz streams or legacy .lzma. */
export function makeWasmLzmaDecoder(sink: ByteSink): Stage {
  return new WasmLzma((module, stream) => module._lzma_auto_decoder(stream, decoderMemoryBytes, concatenatedFlag), sink);
}

type BeginStream = (module: LZMAModule, stream: number) => number;

interface OpenStream {
  readonly module: LZMAModule;
  readonly stream: WasmLzmaStream;
  readonly input: number;
  readonly output: number;
}

/** An lzma_stream in the memory of the WebAssembly module, with an input and an output buffer beside it. */
class WasmLzma implements Stage {
  readonly #begin: BeginStream;
  readonly #sink: ByteSink;
  #buffers: OpenStream | undefined;
  #disposed = false;

  constructor(begin: BeginStream, sink: ByteSink) {
    this.#begin = begin;
    this.#sink = sink;
  }

  async update(bytes: Uint8Array): Promise<void> {
    for (const piece of piecesOf(bytes, inputBytes)) {
      const { module, stream, input } = await this.#open();
      module.HEAPU8.set(piece, input);
      stream.setInput(input, piece.length);
      while ((this.#buffers?.stream.availIn ?? 0) > 0) await this.#step(action.run);
    }
  }

  async finish(): Promise<void> {
    const { stream } = await this.#open();
    stream.setInput(0, 0);
    while (!(await this.#step(action.finish))) {}
  }

  dispose(): void {
    this.#disposed = true;
    if (!this.#buffers) return;
    const { module, stream, input, output } = this.#buffers;
    this.#buffers = undefined;
    module._lzma_end(stream.ptr);
    stream.free();
    module._free(input);
    module._free(output);
  }

  async #open(): Promise<OpenStream> {
    if (this.#buffers) return this.#buffers;
    const { initModule, WasmLzmaStream: Stream } = await import('node-liblzma/wasm');
    const module = await initModule();
    assert(!this.#disposed, 'an lzma stream is not used after it was disposed of');
    const stream = new Stream(module);
    this.#buffers = { module, stream, input: allocate(module, inputBytes), output: allocate(module, outputBytes) };
    check(this.#begin(module, stream.ptr));
    return this.#buffers;
  }

  /** Returns whether the stream has ended. The output is copied as the memory of the module moves when it grows. */
  async #step(what: number): Promise<boolean> {
    const { module, stream, output } = await this.#open();
    stream.setOutput(output, outputBytes);
    const code = module._lzma_code(stream.ptr, what);
    const bytes = module.HEAPU8.slice(output, output + outputBytes - stream.availOut);
    if (code !== result.streamEnd) check(code);
    await handOver(bytes, this.#sink);
    return code === result.streamEnd;
  }
}

function allocate(module: LZMAModule, bytes: number): number {
  const address = module._malloc(bytes);
  if (address === 0) throw outOfMemory();
  return address;
}

function check(code: number): void {
  if (code === result.ok) return;
  if (code === result.memoryError) throw outOfMemory();
  const damage = damages[code];
  assert(damage !== undefined, `liblzma does not return ${code} when used rightly`);
  throw objectCorrupt(`its xz stream cannot be decompressed: ${damage}`);
}

function outOfMemory(): OperatorError {
  return new OperatorError('lzma-memory', 'there is not enough memory for this compression level of lzma', {
    hint: 'Install xz-utils, which has no such limit, or set "compression": {"level": …} to 6 or less.',
  });
}
