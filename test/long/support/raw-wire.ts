import { getSystemErrorName } from "node:util";

/** Who is told what happens to a wire. None is called within a call of the wire's own. */
export interface WireOwner {
  connected(): void;
  /** @param bytes good within the call only: all wires of a process share them */
  take(bytes: Buffer): void;
  /** It is closed, and by the other side or a fault. @param fault "" for an orderly end */
  ended(fault: string): void;
}

/** The system's name for the orderly end of what is read. */
const END = "EOF";

/** A TCP handle of Node's, as `net.Socket` has one below itself. */
interface Handle {
  owner: Wire | null;
  onread: (this: Handle) => void;
  connect(request: object, host: string, port: number): number;
  setNoDelay(on: boolean): number;
  useUserBuffer(bytes: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: object, text: string): number;
  shutdown(request: object): number;
  close(): void;
  reset(): number;
}

type Request = { oncomplete: (status: number) => void; owner?: Wire | null };

const binding = (name: string) => (process as unknown as { binding(name: string): never }).binding(name);
const { TCP, TCPConnectWrap, constants } = binding("tcp_wrap") as {
  TCP: new (kind: number) => Handle;
  TCPConnectWrap: new () => Request;
  constants: { readonly SOCKET: number };
};
const { WriteWrap, ShutdownWrap, kReadBytesOrError, kLastWriteWasAsync, streamBaseState } = binding(
  "stream_wrap",
) as {
  WriteWrap: new () => Request;
  ShutdownWrap: new () => Request;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
  streamBaseState: Int32Array;
};

/** What is read, of all wires. */
const shared = Buffer.alloc(64 * 1024);

/**
 * A TCP connection straight on Node's handle, without `net.Socket` and its streams: ten thousand clients that come and go
 * thousands of times a second share two cores with the gateway that is to be looked at, and cost half of what they would.
 * The handles are not Node's public interface, so this is for tests only.
 */
export class Wire {
  readonly #owner: WireOwner;
  readonly #handle: Handle;
  #isOpen = true;

  constructor(host: string, port: number, owner: WireOwner) {
    this.#owner = owner;
    const handle = new TCP(constants.SOCKET);
    this.#handle = handle;
    handle.owner = this;
    handle.onread = onRead;
    handle.useUserBuffer(shared);
    const request = new TCPConnectWrap();
    request.owner = this;
    request.oncomplete = onConnected;
    const fault = handle.connect(request, host, port);
    // Told later, as all else is.
    if (fault !== 0) queueMicrotask(() => this.#end(fault));
  }

  /** What the system does not take at once follows later. */
  write(latin1: string): void {
    if (!this.#isOpen) return;
    const request = spare;
    // A wire that is broken is told of by reading.
    if (this.#handle.writeLatin1String(request, latin1) !== 0 || streamBaseState[kLastWriteWasAsync] !== 0) {
      spare = passing();
    }
  }

  /** Says its last, and reads on. */
  halfClose(): void {
    if (!this.#isOpen) return;
    const request = new ShutdownWrap();
    request.oncomplete = ignore;
    this.#handle.shutdown(request);
  }

  /** Neither reads nor says anything any more, and is there until it is closed. */
  fallSilent(): void {
    if (this.#isOpen) this.#handle.readStop();
  }

  /** Closes it in order; the owner is not told. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#handle.close();
  }

  /** Closes it by a reset; the owner is not told. One whose orderly end is on its way can't be reset any more. */
  reset(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#handle.reset() !== 0) this.#handle.close();
  }

  /** @internal */
  connected(status: number): void {
    if (!this.#isOpen) return;
    if (status !== 0) {
      this.#end(status);
      return;
    }
    this.#handle.setNoDelay(true);
    this.#owner.connected();
    if (this.#isOpen) this.#handle.readStart();
  }

  /** @internal */
  read(count: number): void {
    if (!this.#isOpen || count === 0) return;
    if (count > 0) this.#owner.take(shared.subarray(0, count));
    else this.#end(count);
  }

  #end(status: number): void {
    if (!this.#isOpen) return;
    this.close();
    const fault = getSystemErrorName(status);
    this.#owner.ended(fault === END ? "" : fault);
  }
}

/** A write that the system takes at once leaves its request as it was. */
let spare = passing();

function passing(): Request {
  const request = new WriteWrap();
  request.oncomplete = ignore;
  return request;
}

function onRead(this: Handle): void {
  this.owner?.read(streamBaseState[kReadBytesOrError] as number);
}

function onConnected(this: Request, status: number): void {
  this.owner?.connected(status);
}

function ignore(): void {}
