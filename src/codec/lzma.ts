import type { ByteSink, CompressionChoice } from './codec-options.ts';
import { parseLzmaPreset } from './lzma-preset.ts';
import { makeWasmLzmaDecoder, makeWasmLzmaEncoder } from './lzma-wasm.ts';
import type { Stage } from './stage.ts';
import { findXz, XzDecoder, XzEncoder } from './xz-program.ts';

/** Plain bytes in, one .xz stream with CRC64 out: by the program `xz` where there is one, as it is faster and its memory is not ours. */
export function makeLzmaEncoder(compression: CompressionChoice, sink: ByteSink): Stage {
  const preset = parseLzmaPreset(compression.level);
  const program = findXz();
  return program === undefined ? makeWasmLzmaEncoder(preset, sink) : new XzEncoder(program, preset, compression.threads ?? 1, sink);
}

/** .xz (also several streams after each other) or legacy .lzma in, plain bytes out. */
export function makeLzmaDecoder(sink: ByteSink): Stage {
  const program = findXz();
  return program === undefined ? makeWasmLzmaDecoder(sink) : new XzDecoder(program, sink);
}
