import type { ByteSink, CompressionChoice } from './codec-options.ts';
import { levelInvalid } from './level-invalid.ts';
import { makeWasmLzmaDecoder, makeWasmLzmaEncoder } from './lzma-wasm.ts';
import type { Stage } from './stage.ts';
import { findXz, XzDecoder, XzEncoder } from './xz-program.ts';

const presetMax = 9;
/** liblzma's LZMA_PRESET_EXTREME: more work for slightly less output. */
const extremeFlag = 0x8000_0000;

export interface LzmaPreset {
  readonly preset: number;
  readonly extreme: boolean;
}

/** Plain bytes in, one .xz stream with CRC64 out: by the program `xz` where there is one, as it is faster and its memory is not ours. */
export function makeLzmaEncoder(compression: CompressionChoice, sink: ByteSink): Stage {
  const preset = parsePreset(compression.level);
  const program = findXz();
  return program === undefined ? makeWasmLzmaEncoder(preset, sink) : new XzEncoder(program, preset, compression.threads ?? 1, sink);
}

/** .xz (also several streams after each other) or legacy .lzma in, plain bytes out. */
export function makeLzmaDecoder(sink: ByteSink): Stage {
  const program = findXz();
  return program === undefined ? makeWasmLzmaDecoder(sink) : new XzDecoder(program, sink);
}

function parsePreset(level: number): LzmaPreset {
  const extreme = level >= extremeFlag;
  const preset = extreme ? level - extremeFlag : level;
  if (!Number.isInteger(preset) || preset < 0 || preset > presetMax) throw levelInvalid('lzma', level, `0 to ${presetMax}`);
  return { preset, extreme };
}
