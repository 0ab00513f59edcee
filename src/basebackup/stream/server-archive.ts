import { crc32c } from '@node-rs/crc32';
import { OperatorError } from '../../lib/errors.ts';
import type { FileLedger } from '../../postgres/file-ledger.ts';
import type { TarMember } from '../../tar/header.ts';
import { type TarHandler, TarReader } from '../../tar/reader.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import { type ArchivePlace, type MemberPlace, memberPlace } from './member-places.ts';

/** What goes into the main object is held in memory. PostgreSQL's control file has 8 KiB, its label less than 1 KiB. */
const heldBytesMax = 1024 * 1024;
/** The end of an archive, which the server leaves out before PostgreSQL 15. */
const endBlocks = Buffer.alloc(1024);

/** A member that is not for the chunks. */
export interface HeldMember {
  readonly to: Exclude<MemberPlace['to'], 'chunk' | 'nowhere'>;
  readonly member: TarMember;
  readonly content: Buffer;
}

export interface ArchiveTools {
  readonly chunks: ChunkWriter;
  readonly ledger: FileLedger;
  readonly onHeld: (held: HeldMember) => void;
  readonly onFile: () => void;
}

/** One of the server's archives, whose members go where they belong as they come. */
export class ServerArchive implements TarHandler {
  readonly #place: ArchivePlace;
  readonly #tools: ArchiveTools;
  readonly #reader: TarReader;
  /** The directory of the tablespace itself is not among the members. */
  #isTopDue: boolean;
  #member: TarMember | undefined;
  #to: MemberPlace['to'] = 'nowhere';
  #crc = 0;
  #held: Buffer[] = [];

  constructor(place: ArchivePlace, tools: ArchiveTools) {
    this.#place = place;
    this.#tools = tools;
    this.#isTopDue = place.tablespace !== undefined;
    this.#reader = new TarReader(this);
  }

  update(bytes: Uint8Array): void | Promise<void> {
    return this.#reader.update(bytes);
  }

  /** `isEndSent`: the server sends the blocks at the end of archives. */
  async finish(isEndSent: boolean): Promise<void> {
    if (!isEndSent) await this.#reader.update(endBlocks);
    this.#reader.finish();
  }

  member(member: TarMember): void | Promise<void> {
    const place = memberPlace(member, this.#place);
    this.#member = member;
    this.#to = place.to;
    this.#crc = 0;
    this.#held = [];
    if (place.to === 'chunk') return this.#begin({ ...member, path: place.path });
    if (member.size > heldBytesMax && place.to !== 'nowhere') throw tooLarge(member);
    return undefined;
  }

  data(bytes: Uint8Array): void | Promise<void> {
    this.#crc = crc32c(bytes, this.#crc);
    if (this.#to === 'chunk') return this.#tools.chunks.data(bytes);
    if (this.#to !== 'nowhere') this.#held.push(Buffer.from(bytes));
    return undefined;
  }

  end(): void | Promise<void> {
    const member = this.#member as TarMember;
    if (member.type === 'file') {
      this.#tools.ledger.add({ path: this.#place.listedPrefix + member.path, size: member.size, crc: this.#crc });
      this.#tools.onFile();
    }
    if (this.#to === 'chunk') return this.#tools.chunks.end();
    if (this.#to !== 'nowhere') this.#tools.onHeld({ to: this.#to, member, content: Buffer.concat(this.#held) });
    return undefined;
  }

  async #begin(member: TarMember): Promise<void> {
    const { tablespace } = this.#place;
    if (tablespace && this.#isTopDue) {
      this.#isTopDue = false;
      await this.#tools.chunks.begin({ ...member, path: `tablespaces/${tablespace.name}`, type: 'directory', size: 0, mode: 0o700 });
    }
    await this.#tools.chunks.begin(member);
  }
}

function tooLarge({ path, size }: TarMember): OperatorError {
  return new OperatorError('postgres-protocol', `PostgreSQL sent what cannot be understood: ${path} with ${size} bytes`);
}
