import { levelInvalid } from './level-invalid.ts';

const presetMax = 9;
/** liblzma's LZMA_PRESET_EXTREME: more work for slightly less output. */
const extremeFlag = 0x8000_0000;

export interface LzmaPreset {
  readonly preset: number;
  readonly extreme: boolean;
}

/** The level of the configuration: a preset of xz, with the highest of 32 bits set for its "extreme" variant. Throws `compression-level-invalid`. */
export function parseLzmaPreset(level: number): LzmaPreset {
  const extreme = level >= extremeFlag;
  const preset = extreme ? level - extremeFlag : level;
  if (!Number.isInteger(preset) || preset < 0 || preset > presetMax) throw levelInvalid('lzma', level, `0 to ${presetMax}`);
  return { preset, extreme };
}
