import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ServerProcess, type ServerCommand } from "../server-process.ts";

/** How long a server may take until its first answer. Generous, because a busy machine is slow. */
const LIMIT_MS = 30_000;

/**
 * The server loads its Worker as soon as its port is open. So a start does not count if the open port was seen
 * later than this. An attempt to connect takes a tenth of it.
 */
const MAX_LATE_MS = 3;
/** A busy machine may always be late. Then its figures mean nothing, but the run ends. */
const MAX_STARTS = 10;

/** The figures of a server's first answer. CPU time is that of all its threads. */
export interface FirstAnswer {
  status: number;
  /** From the start of the process until its port is open. */
  open_ms: number;
  /** From the open port until the first byte of the answer: loading, compiling and running the Worker. */
  answer_ms: number;
  /** CPU time in `answer_ms`. */
  cpu_ms: number;
  cpu_since_start_ms: number;
}

/** Starts a server, sends it one request as soon as its port is open, and kills it after the answer. */
export async function measureFirstAnswer(
  command: ServerCommand,
  path: string,
  form: string,
): Promise<FirstAnswer> {
  for (let starts = 1; ; starts += 1) {
    const answer = await startOnce(command, path, form, starts < MAX_STARTS);
    if (answer) return answer;
  }
}

/** @returns undefined if the open port was seen too late; the server has then got no request */
async function startOnce(
  command: ServerCommand,
  path: string,
  form: string,
  mustBeInTime: boolean,
): Promise<FirstAnswer | undefined> {
  const started = performance.now();
  const server = ServerProcess.spawn(command);
  try {
    const { socket, closed } = await connectTo(
      command.port,
      started + LIMIT_MS,
    );
    const opened = performance.now();
    const cpuBefore = server.cpuMilliseconds();
    if (mustBeInTime && performance.now() - closed > MAX_LATE_MS) {
      socket.destroy();
      return undefined;
    }
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${command.port}\r\n` +
        "Content-Type: application/x-www-form-urlencoded\r\n" +
        `Content-Length: ${Buffer.byteLength(form)}\r\nConnection: close\r\n\r\n${form}`,
    );
    const [data] = (await once(socket, "data", {
      signal: AbortSignal.timeout(LIMIT_MS),
    })) as [Buffer];
    const answered = performance.now();
    const cpu = server.cpuMilliseconds();
    socket.destroy();
    const [, status] =
      /^HTTP\/1\.1 (\d{3}) /.exec(data.toString("latin1")) ?? [];
    return {
      status: Number(status),
      open_ms: opened - started,
      answer_ms: answered - opened,
      cpu_ms: cpu - cpuBefore,
      cpu_since_start_ms: cpu,
    };
  } finally {
    await server.kill();
  }
}

/** Connects as soon as the port is open. @returns also a moment at which the port was still closed */
async function connectTo(
  port: number,
  deadline: number,
): Promise<{ socket: Socket; closed: number }> {
  let closed = performance.now();
  for (;;) {
    const begin = performance.now();
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    try {
      await once(socket, "connect");
      return { socket, closed };
    } catch (error) {
      socket.destroy();
      if (performance.now() > deadline) throw error;
      closed = begin;
    }
  }
}
