import { fileURLToPath } from 'node:url';

/** Path of a program beside this file that tests start as a process of its own; works from the sources and compiled. */
export function childOf(name: string): string {
  return fileURLToPath(new URL(`./${name}${import.meta.url.endsWith('.js') ? '.js' : '.ts'}`, import.meta.url));
}
