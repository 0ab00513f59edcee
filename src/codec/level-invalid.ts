import { OperatorError } from '../lib/errors.ts';

export function levelInvalid(algorithm: string, level: number, range: string): OperatorError {
  return new OperatorError('compression-level-invalid', `${algorithm} has no compression level ${level}`, {
    hint: `Set "compression": {"level": …} to a whole number from ${range}.`,
  });
}
